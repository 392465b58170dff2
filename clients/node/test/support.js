// What the tests run against: the real child and the fake one of flowcage's conformance kit, as a process and behind a socket.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connect, spawnChild } from '../index.js';

const PYTHON = process.env.FLOWCAGE_PYTHON ?? 'python3';
export const CHILD = [PYTHON, '-I', '-m', 'flowcage.child'];
export const HOST = [PYTHON, '-m', 'flowcage.host.cli.entry', 'host'];
export const fake = (scenario) => [PYTHON, '-I', '-m', 'flowcage.conformance.fake_child', scenario];
// What is older than `run` and `advance`: the same without them.
const FORGET = `
from flowcage.child.__main__ import main
from flowcage.protocol.messages import METHODS
from flowcage.protocol.params import PARAMS
METHODS.clear()
for added in ("run", "advance", "replay", "sites", "imports"):
    del PARAMS[added]
main()
`;
export const OLDER_CHILD = [PYTHON, '-I', '-c', FORGET];
export const AGES = { 'a child': '', 'an older child': 'older:' };
// What its workflow comes to.
export const RESULT = 'conformance-result-7b1e';
export const example = (name) => readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8');

/** The way to start `command` as a process, and what was started with it. */
export function spawned(command = CHILD) {
  const links = [];
  const open = spawnChild({ command });
  const transport = async (signal) => {
    links.push(await open(signal));
    return links.at(-1);
  };
  return { transport, pids: () => links.map(({ pid }) => pid), kill: () => process.kill(links.at(-1).pid, 'SIGKILL') };
}

/** The same behind a socket: each connection is a fresh child, killed when the connection closes. */
export async function served(test, command = CHILD) {
  const children = [];
  const server = createServer((socket) => {
    const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'ignore'] });
    children.push(child);
    socket.on('error', () => {}).on('close', () => child.kill('SIGKILL'));
    child.stdin.on('error', () => {});
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
  });
  const folder = mkdtempSync(join(tmpdir(), 'flowcage-'));
  const path = join(folder, 'socket');
  server.listen(path);
  await once(server, 'listening');
  test.after(async () => {
    server.close();
    await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit')));
    rmSync(folder, { recursive: true });
  });
  return { transport: connect(path), pids: () => children.map(({ pid }) => pid), kill: () => children.at(-1).kill('SIGKILL') };
}

export const TRANSPORTS = {
  process: async (_test, command) => spawned(command),
  socket: served,
};

export function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
