// A host that says what a test has it say, behind a socket.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { Host } from '../index.js';

export const INFO = {
  protocolVersion: '1.0',
  hostInfo: { name: 'fake', version: '0' },
  methods: [],
  limits: {},
  options: {},
  isolation: 'strict',
  maxMessageBytes: 65_536,
  maxOpenRequests: 1000,
  maxRuns: 1,
  store: false,
  tenant: 'default',
};

/**
 * Open a host over a socket at which `answers` answer: by method, a function of params that gives a result, an Error for no
 * answer yet, or lines as they are.
 */
export async function fakeHost(test, answers = {}, options = {}) {
  const fake = new FakeHost({ initialize: () => ({ ...INFO }), shutdown: () => ({}), ...answers });
  const folder = mkdtempSync(join(tmpdir(), 'flowcage-'));
  const path = join(folder, 'socket');
  const server = createServer((socket) => fake.talk(socket)).listen(path);
  await once(server, 'listening');
  test.after(async () => {
    fake.socket?.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { fake, host: Host.open({ socket: path, ...options }) };
}

export const NOTHING = Symbol('no answer');

class FakeHost {
  #answers;
  #awaited = [];
  #lastId = 0;

  /** Every message of the client. */
  heard = [];

  constructor(answers) {
    this.#answers = answers;
  }

  talk(socket) {
    this.socket = socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => this.#take(JSON.parse(line))).on('error', () => {});
  }

  /** Write messages in one piece, so that they arrive together. */
  say(...messages) {
    const lines = messages.map((each) => (typeof each === 'string' ? each : JSON.stringify({ jsonrpc: '2.0', ...each })));
    this.socket.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The request of the host with a next id. */
  request(method, params) {
    this.#lastId += 1;
    return { id: this.#lastId, method, params };
  }

  /** The next message of the client, or the first of those before, that is such. */
  async heardOf(isSuch) {
    for (;;) {
      const found = this.heard.find(isSuch);
      if (found) return found;
      await new Promise((resolve) => { this.#awaited.push(resolve); });
    }
  }

  #take(message) {
    this.heard.push(message);
    const { id, method, params } = message;
    const answer = method && id !== undefined && this.#answers[method]?.(params, this, id);
    if (answer && answer !== NOTHING) this.say({ id, result: answer });
    for (const come of this.#awaited.splice(0)) come();
  }
}

/** Params of an agent.ask. */
export function asked(members = {}) {
  return { rootRunId: 'r', runId: 'r', requestId: '1', prompt: 'p', options: {}, attempt: 1, problem: null, ...members };
}
