export { Child } from './lib/child.js';
export { Connection, LineReader, PROTOCOL_VERSION } from './lib/connection.js';
export * from './lib/errors.js';
export { AgentAnswer } from './lib/host/answering.js';
export * from './lib/host/errors.js';
export { HOST_PROTOCOL_VERSION, Host } from './lib/host/host.js';
export { run } from './lib/run.js';
export { connect, spawnChild } from './lib/transport.js';
