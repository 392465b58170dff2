// The ways to reach a host: `flowcage host` as a process of our own, or behind the socket of one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';

import { whyNotStarted } from '../missing.js';
import { HostGone } from './errors.js';

const STDERR_TAIL_BYTES = 8 * 1024;
const COMMAND = ['flowcage', 'host'];

/** Start a host as a process. It sees our environment: the keys of its agents are there. */
export async function spawnHost({ command = COMMAND, args = [], cwd, env = process.env, onStderr } = {}) {
  const [program, ...first] = command;
  const child = spawn(program, [...first, ...args], { cwd, env, stdio: 'pipe' });
  await began(child, 'spawn', `${program} could not be started`);
  return new HostProcess(child, onStderr);
}

/** Connect to `flowcage host --socket PATH`. */
export async function connectHost(path) {
  const socket = createConnection(path);
  await began(socket, 'connect', `no connection to ${path}`);
  return new HostSocket(socket);
}

async function began(emitter, event, problem) {
  // Stays: a late error, such as a failed kill, must not become an uncaught one.
  emitter.on('error', () => {});
  try {
    await once(emitter, event);
  } catch (cause) {
    throw new HostGone(`${problem}: ${whyNotStarted(cause)}`, { cause });
  }
}

class HostProcess {
  #child;
  #stderr = '';

  constructor(child, onStderr) {
    this.#child = child;
    this.pid = child.pid;
    this.input = child.stdin;
    this.output = child.stdout;
    this.closed = new Promise((resolve) => { child.once('close', resolve); });
    child.stderr.setEncoding('utf8').on('error', () => {}).on('data', (text) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_TAIL_BYTES);
      onStderr?.(text);
    });
  }

  /** How it ended, in words; its stderr says why. */
  get ending() {
    const { exitCode, signalCode } = this.#child;
    const how = signalCode ? `was killed by ${signalCode}` : exitCode === null ? 'is gone' : `exited with status ${exitCode}`;
    const said = this.#stderr.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '').trim();
    return `the host ${how}${said && `; it said: ${said}`}`;
  }

  /** Have it end by itself: it cancels runs and reaps their children. */
  terminate() {
    this.#child.kill('SIGTERM');
  }

  kill() {
    this.#child.kill('SIGKILL');
    for (const stream of [this.input, this.output, this.#child.stderr]) stream.destroy();
  }
}

class HostSocket {
  pid = null;
  #socket;

  constructor(socket) {
    this.#socket = socket;
    this.input = socket;
    this.output = socket;
    this.closed = new Promise((resolve) => { socket.once('close', resolve); });
  }

  get ending() {
    return 'the host has closed the connection';
  }

  terminate() {
    this.#socket.end();
  }

  kill() {
    this.#socket.destroy();
  }
}
