// One child: sends requests, receives replies, holds a deadline for each reply, and ends the child on every path.
import {
  AbortError, ChildDied, ChildSilent, IsolationUnavailable, OutputExceeded, ProtocolViolation,
  RunError, RunRefused, WorkflowFailed,
} from './errors.js';
import { Connection, PROTOCOL_VERSION } from './connection.js';
import { cpuMs, requireCage, requireLayers } from './inspection.js';

const RUN_FAILURES = new Set([
  'exception', 'syntax', 'import', 'missing_default', 'timeout', 'memory', 'stack', 'serialization', 'limit',
]);
const CLIENT = { name: 'flowcage-node', version: '0.1.0' };
// A healthy child exits at once when its stdin is closed. A busy one is not waited for.
const CLOSE_GRACE_MS = 500;
// After a child closed its stdout, its exit must be seen within this time; otherwise it is a protocol violation.
const EXIT_GRACE_MS = 1000;
// SIGKILL takes effect at once, except on a process that is stuck in the kernel.
const REAP_MS = 10_000;
// Our own event loop may be late; replies that have arrived meanwhile must still be read.
const LATE_MS = 50;
const GLANCE_MS = 100;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Child {
  #link;
  #connection = new Connection();
  #waiting = [];
  #failure = null;
  #isClosing = false;
  #isCorked = false;
  #forgetSignal;
  #timer;
  #maxReceivedBytes;
  #tellFailed;

  /** How long one answer may take, in milliseconds: of the child's CPU where that can be read. */
  answerTimeoutMs;

  /** How long one answer may take by the clock; left out, `answerTimeoutMs`. */
  answerClockMs;

  /** Resolves with the RunError that ends the conversation, if one does; never rejects. */
  failed = new Promise((resolve) => { this.#tellFailed = resolve; });

  /** What the child can be sent, as its answer to `initialize` names it; empty for one that is older than that. */
  methods = [];

  messages = 0;
  bytesSent = 0;
  bytesReceived = 0;

  /** Start a child. Aborting `signal` kills it. `close` must follow. */
  static async open(transport, { signal, ...options } = {}) {
    if (signal?.aborted) throw reasonOf(signal);
    const link = await transport(signal).catch((error) => { throw signal?.aborted ? reasonOf(signal) : error; });
    return new Child(link, signal, options);
  }

  constructor(link, signal, { answerTimeoutMs = 30_000, maxReceivedBytes = 2 ** 30 } = {}) {
    this.#link = link;
    this.answerTimeoutMs = answerTimeoutMs;
    this.#maxReceivedBytes = maxReceivedBytes;
    // Not reported here: if the child has ended, the end of its stdout leads to the reason.
    link.input.on('error', () => {});
    link.output.on('error', () => {});
    link.output.on('data', (chunk) => this.#receive(chunk));
    link.output.once('end', () => this.#gone());
    link.output.once('close', () => this.#gone());
    const abort = () => this.fail(reasonOf(signal));
    signal?.addEventListener('abort', abort, { once: true });
    this.#forgetSignal = () => signal?.removeEventListener('abort', abort);
    if (signal?.aborted) abort();
  }

  /** Agree on the version, have the child close its cage, and verify it. */
  initialize({ limits, isolation, client = CLIENT } = {}) {
    const params = { protocolVersion: PROTOCOL_VERSION, client, limits, isolation };
    const verify = (initialized) => this.#verify(initialized, limits, isolation);
    return this.request('initialize', params, verify);
  }

  start(params) {
    return this.request('start', params);
  }

  /** `start` and `drain` in one message, for a child whose `methods` have it. */
  run(params) {
    return this.request('run', params);
  }

  check(params) {
    return this.request('check', params);
  }

  poll() {
    return this.request('poll');
  }

  take() {
    return this.request('take');
  }

  drain() {
    return this.request('drain');
  }

  /** Settle a request. A value that is not JSON becomes a rejection that says why. */
  resolve(id, resolution) {
    return this.request('resolve', { id, resolution });
  }

  /** Settle requests, turn by turn, and drain, for a child whose `methods` have it. Every value must be JSON. */
  advance(turns) {
    return this.request('advance', { turns });
  }

  /**
   * Carry out turns from earlier, for a child whose `methods` have it: `counts` of the answer has how many of its
   * requests each turn has queued that was carried out. Send the others again.
   */
  replay(turns) {
    return this.request('replay', { turns });
  }

  /** Where in its source the workflow made the requests that are outstanding, for a child whose `methods` have it. */
  sites() {
    return this.request('sites');
  }

  shutdown() {
    return this.request('shutdown');
  }

  /** Send one request; the promise is for its result, once `verify` has not thrown. Requests may be pipelined. */
  request(method, params, verify = () => {}) {
    const reply = this.#request(method, params).then((result) => {
      try {
        verify(result);
      } catch (error) {
        throw this.fail(error);
      }
      return result;
    });
    reply.catch(() => {}); // a caller may await an earlier promise first; that must not be an unhandled rejection
    return reply;
  }

  /** End the conversation with an error: kill the child, reject all waiting requests. Returns the first such error. */
  fail(error) {
    if (this.#failure === null && !this.#isClosing) {
      this.#failure = error;
      this.#link.kill();
      this.#abandonRequests(error);
      this.#tellFailed(error);
    }
    return this.#failure ?? error;
  }

  /** End the child and reap it: its stdin is closed first, and it has half a second to exit. */
  async close() {
    if (this.#failure === null && !this.#isClosing) {
      this.#isClosing = true;
      this.#abandonRequests(new AbortError('the child was closed'));
      this.#link.input.end();
      if (await this.#link.ended(CLOSE_GRACE_MS) === null) this.#link.kill();
    }
    await this.#link.ended(REAP_MS);
    this.#link.release();
  }

  #abandonRequests(error) {
    clearTimeout(this.#timer);
    this.#forgetSignal();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  async #request(method, params) {
    if (this.#failure) throw this.#failure;
    if (this.#isClosing) throw new AbortError('the child was closed');
    this.#write(this.#encode(method, params));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.#waiting.length === 1) this.#expectAnswer();
    });
  }

  #encode(method, params) {
    try {
      return this.#connection.send(method, params);
    } catch (error) {
      if (method !== 'resolve') throw error;
      const message = `the host's answer cannot be sent: ${error.message}`;
      return this.#connection.send(method, { id: params.id, resolution: { type: 'error', message } });
    }
  }

  /** All messages of one turn of the event loop go out in one write. */
  #write(line) {
    const { input } = this.#link;
    this.messages += 1;
    this.bytesSent += line.length;
    if (!this.#isCorked) {
      this.#isCorked = true;
      input.cork();
      queueMicrotask(() => {
        this.#isCorked = false;
        input.uncork();
      });
    }
    input.write(line);
  }

  #receive(chunk) {
    if (this.#failure || this.#isClosing) return;
    this.bytesReceived += chunk.length;
    try {
      if (this.bytesReceived > this.#maxReceivedBytes) {
        throw new OutputExceeded(`the child said more than ${this.#maxReceivedBytes} bytes and was killed`);
      }
      for (const reply of this.#connection.receive(chunk)) this.#settle(reply);
    } catch (error) {
      this.fail(error);
    }
  }

  #settle({ error, result }) {
    const { resolve, reject } = this.#waiting.shift();
    this.messages += 1;
    if (error) reject(refusal(error));
    else resolve(result);
    this.#expectAnswer();
  }

  /** Give the oldest request its deadline: the child answers them one by one. */
  #expectAnswer() {
    clearTimeout(this.#timer);
    if (this.#waiting.length === 0) return;
    const began = performance.now();
    // Most answers come sooner; reading the child's CPU from a file would cost more than they do.
    const glance = Math.min(GLANCE_MS, this.answerTimeoutMs);
    this.#timer = setTimeout(() => this.#wait(began, cpuMs(this.#link.pid)), glance);
  }

  /** Wait for as long as the child may still take, then fail. */
  #wait(began, cpuBegan) {
    const left = this.#patienceLeft(began, cpuBegan);
    const [next, pause] = left > 0
      ? [() => this.#wait(began, cpuBegan), Math.min(left, LONGEST_TIMER_MS)]
      : [() => this.#giveUp(), LATE_MS - left];
    this.#timer = setTimeout(next, pause);
  }

  #patienceLeft(began, cpuBegan) {
    const byClock = (this.answerClockMs ?? this.answerTimeoutMs) - (performance.now() - began);
    const cpu = cpuBegan === null ? null : cpuMs(this.#link.pid);
    return cpu === null ? byClock : Math.min(byClock, this.answerTimeoutMs - (cpu - cpuBegan));
  }

  #giveUp() {
    this.fail(new ChildSilent(`the child did not answer in ${this.answerTimeoutMs} ms and was killed`));
  }

  async #gone() {
    if (this.#failure || this.#isClosing) return;
    clearTimeout(this.#timer); // no answer can come any more
    const ended = await this.#link.ended(EXIT_GRACE_MS);
    this.fail(ended === null
      ? new ProtocolViolation('the child closed its stdout and went on living; it was killed')
      : new ChildDied(ended));
  }

  #verify({ protocolVersion, maxMessageBytes, isolation: layers, methods = [] }, limits, isolation) {
    if (protocolVersion !== PROTOCOL_VERSION) {
      throw new ProtocolViolation(`the child answered with version ${protocolVersion.slice(0, 40)}`);
    }
    if (maxMessageBytes > (limits?.maxMessageBytes ?? this.#connection.maxMessageBytes)) {
      throw new ProtocolViolation('the child allows itself longer messages than it may send');
    }
    if ((isolation ?? (process.platform === 'linux' ? 'strict' : '')) === 'strict') {
      requireLayers(layers);
      if (this.#link.pid !== null) requireCage(this.#link.pid);
    }
    this.#connection.maxMessageBytes = maxMessageBytes;
    this.methods = methods;
  }
}

function refusal({ message, data }) {
  if (RUN_FAILURES.has(data.kind)) return new WorkflowFailed(message, data);
  if (data.kind === 'isolation_unavailable') return new IsolationUnavailable(message);
  return new RunRefused(`the child refused a message (${data.kind}): ${message}`, data.kind);
}

function reasonOf(signal) {
  const { reason } = signal;
  return reason instanceof RunError ? reason : new AbortError('the run was aborted', { cause: reason });
}
