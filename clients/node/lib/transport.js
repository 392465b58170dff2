// The ways to start a child: as a process of our own, or behind the socket of `flowcage serve`.
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createConnection } from 'node:net';
import { delimiter, resolve } from 'node:path';

import { LaunchFailed } from './errors.js';
import { whyNotStarted } from './missing.js';

const STDERR_TAIL_BYTES = 8 * 1024;
const MAX_STDERR_BYTES = 16 * 1024 * 1024;
// The last of its stderr may still be in the pipe when a child has ended.
const STDERR_GRACE_MS = 1000;

/**
 * A transport that starts each child as a process, in a process group of its own.
 * `command` is program and arguments; by default `flowcage-child` from the PATH, which ends with this process.
 */
export function spawnChild({ command = ['flowcage-child', '--die-with', String(process.pid)] } = {}) {
  return async () => {
    const [program, ...args] = command;
    const child = spawn(inPath(program), args, {
      cwd: '/',
      detached: true, // its own group, so that all of it can be killed
      env: { TZ: 'UTC0' }, // no variables of ours; without TZ the C library would read /etc/localtime
      stdio: 'pipe',
    });
    await started(child, 'spawn', 'no child could be started');
    return new ProcessLink(child);
  };
}

/** A transport to `flowcage serve`: each connection is a fresh child. */
export function connect(socketPath) {
  return async (signal) => {
    const socket = createConnection(socketPath);
    const giveUp = () => socket.destroy(signal.reason);
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      if (signal?.aborted) giveUp();
      await started(socket, 'connect', `no connection to ${socketPath}`);
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
    return new SocketLink(socket);
  };
}

function started(emitter, event, problem) {
  return new Promise((resolve, reject) => {
    emitter.once(event, resolve);
    // `on`: a late error, such as a failed kill, must not become an uncaught one.
    emitter.on('error', (cause) => reject(new LaunchFailed(`${problem}: ${whyNotStarted(cause)}`, { cause })));
  });
}

/** The absolute path of a program: the child starts in another folder. */
function inPath(program) {
  if (program.includes('/')) return resolve(program);
  const isProgram = (path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  const places = (process.env.PATH ?? '').split(delimiter).map((folder) => resolve(folder, program));
  return places.find(isProgram) ?? program;
}

/** Whether a promise settles within so many milliseconds. */
function within(ms, promise) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, false);
    promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

class ProcessLink {
  #process;
  #exited;
  #stderrClosed;
  #stderr = Buffer.alloc(0);
  #stderrBytes = 0;

  constructor(child) {
    this.#process = child;
    this.pid = child.pid;
    this.input = child.stdin;
    this.output = child.stdout;
    this.#exited = new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve();
      child.once('exit', resolve);
    });
    // Processes that a child without a cage left in its group end with it.
    this.#exited.then(() => this.#killGroup());
    this.#stderrClosed = new Promise((resolve) => child.stderr.once('close', resolve));
    child.stderr.on('error', () => {});
    child.stderr.on('data', (chunk) => this.#keepStderr(chunk));
  }

  kill() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#killGroup();
      this.#process.kill('SIGKILL'); // it may have left its group
    }
  }

  /** How the child ended, or null if it has not within so many milliseconds. */
  async ended(ms) {
    if (!await within(ms, this.#exited)) return null;
    await within(STDERR_GRACE_MS, this.#stderrClosed);
    const { signalCode: signal, exitCode } = this.#process;
    return { signal, exitCode, stderr: this.#stderrTail() };
  }

  release() {
    for (const stream of [this.input, this.output, this.#process.stderr]) stream.destroy();
  }

  #killGroup() {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch { /* the group is empty */ }
  }

  #keepStderr(chunk) {
    this.#stderr = Buffer.concat([this.#stderr, chunk]).subarray(-STDERR_TAIL_BYTES);
    this.#stderrBytes += chunk.length;
    // Beyond that the child blocks on its own pipe: reading costs us more than writing costs the child.
    if (this.#stderrBytes > MAX_STDERR_BYTES) this.#process.stderr.pause();
  }

  #stderrTail() {
    const escapes = /\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
    return this.#stderr.toString('utf8').replace(escapes, '').trim();
  }
}

class SocketLink {
  pid = null;
  #socket;
  #closed;

  constructor(socket) {
    this.#socket = socket;
    this.input = socket;
    this.output = socket;
    this.#closed = new Promise((resolve) => socket.once('close', resolve));
  }

  /** The server kills the child of a connection that is closed. */
  kill() {
    this.#socket.destroy();
  }

  async ended(ms) {
    return await within(ms, this.#closed) ? { signal: null, exitCode: null, stderr: '' } : null;
  }

  release() {
    this.#socket.destroy();
  }
}
