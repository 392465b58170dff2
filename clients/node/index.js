export { Child } from './lib/child.js';
export { Connection, LineReader, PROTOCOL_VERSION } from './lib/connection.js';
export * from './lib/errors.js';
export { run } from './lib/run.js';
export { connect, spawnChild } from './lib/transport.js';
