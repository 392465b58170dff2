// A host of flowcage as this program uses it: runs are started, and what they ask is answered.
import { AbortError, ProtocolViolation, wordsOf } from '../errors.js';
import { isObject } from '../results.js';
import { Slots } from '../slots.js';
import { Answering, HANDLERS } from './answering.js';
import { HostGone } from './errors.js';
import { connectHost, spawnHost } from './link.js';
import { given, startParams } from './options.js';
import { Peer } from './peer.js';
import { HostRun } from './run.js';

export const HOST_PROTOCOL_VERSION = '1.0';
const CLIENT = { name: 'flowcage-node', version: '0.1.0' };
// A part of the requests that may be unanswered at once is not for waiting, which takes as long as a run does.
const WAITING_PART = 0.9;
const CLOSE_GRACE_MS = 10_000;
// Characters of why a run was aborted: a reason that is too long to be sent would leave the run going on.
const MOST_REASON = 1000;
const UNOPENED = 'the opening of the host was aborted';

export class Host {
  #link;
  #peer;
  #handlers;
  #answering;
  #runs = new Map(); // by id: a run may be begun twice, by its key
  #slots;
  #closing = null;

  /** The answer to `initialize`: version, limits, options, store. */
  info;

  /** Start or reach a host, and agree with it on the version; aborting `signal` meanwhile gives it up. `close` must follow. */
  static async open({ socket, signal, ...options } = {}) {
    if (signal?.aborted) throw aborted(signal, UNOPENED);
    const link = socket === undefined ? await spawnHost(options) : await connectHost(socket);
    const host = new Host(link, options);
    const abort = () => link.kill();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      if (signal?.aborted) abort();
      await host.#initialize(options);
    } catch (error) {
      await host.close();
      throw signal?.aborted ? aborted(signal, UNOPENED) : error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    return host;
  }

  /** Not for programs: `Host.open` makes one. */
  constructor(link, options) {
    this.#link = link;
    this.#handlers = handlersIn(options);
    this.#answering = new Answering((runId) => ({ ...this.#handlers, ...this.#runs.get(runId)?.at(-1).handlers }));
    this.#peer = new Peer(link, {
      requested: (id, method, params) => this.#answering.begin(id, method, params),
      notified: (method, params, bytes) => this.#notified(method, params, bytes),
    });
    this.#answering.use(this.#peer);
    this.#peer.gone.then((error) => {
      for (const run of [...this.#runs.values()].flat()) run.close(error);
    });
  }

  /** Of its process; null behind a socket. */
  get pid() {
    return this.#link.pid;
  }

  async #initialize({ onDisconnect }) {
    const handlers = HANDLERS.filter((name) => this.#handlers[name]);
    const params = { protocolVersion: HOST_PROTOCOL_VERSION, clientInfo: CLIENT, handlers, onDisconnect };
    this.info = await this.#peer.request('initialize', params, (info) => {
      requireInfo(info);
      this.#peer.maxMessageBytes = info.maxMessageBytes;
      return info;
    });
    const waiting = Math.max(1, Math.floor(this.info.maxOpenRequests * WAITING_PART));
    this.#slots = { waiting: new Slots(waiting), others: new Slots(Math.max(1, this.info.maxOpenRequests - waiting)) };
  }

  /** Run a workflow to its end. Rejects with a RunError where there is no result; aborting `signal` ends the run. */
  async run(source, options = {}) {
    const { signal } = options;
    if (signal?.aborted) throw aborted(signal);
    return this.#untilAborted(await this.start(source, options), signal);
  }

  /** Start a run; it goes on whether or not anybody waits for its outcome. */
  start(source, options = {}) {
    this.#requireAnswered(options);
    return this.#begin('run.start', startParams({ source }, options), options);
  }

  /** Go on with a kept run that nobody has. The run is returned as soon as it goes on. */
  resume(runId, options = {}) {
    this.#requireAnswered(options);
    return this.#begin('run.resume', startParams({ runId, start: true }, options), options);
  }

  /** What going on with a run would reuse, and ask again; nobody is asked yet. */
  async explain(runId, options = {}) {
    const { explanation } = await this.#request('run.resume', startParams({ runId, start: false }, options));
    return explanation;
  }

  /** Answer the requests of a run whose client is gone. */
  attach(runId, options = {}) {
    this.#requireAnswered(options);
    return this.#begin('run.attach', startParams({ runId }, options), options);
  }

  /** How a run stands, with its outcome where it has ended and its open questions. */
  get(runId) {
    return this.#request('run.get', { runId });
  }

  /** The runs of a state, or all: `{ runs, next }`, where `before: next` goes on. */
  list(options = {}) {
    return this.#request('run.list', given(options));
  }

  async cancel(runId, reason) {
    return (await this.#request('run.cancel', { runId, reason })).done;
  }

  /** Answer a question of a kept run. */
  async answer(runId, questionId, value) {
    await this.#request('run.answer', { runId, questionId, value: value ?? null });
  }

  /** Refuse to answer it: `ask()` rejects with this message. */
  async reject(runId, questionId, message) {
    await this.#request('run.reject', { runId, questionId, message });
  }

  /** What is wrong with a source; it is not run. */
  check(source, options = {}) {
    return this.#request('check', { source, ...given(options) });
  }

  /** For runs: wait for what takes as long as a run. */
  wait(method, params, taken) {
    return this.#slots.waiting.use(() => this.#peer.request(method, params, taken));
  }

  /** Leave the host: it ends this client's runs, or lets them go on, by `onDisconnect`. A process of ours has ended then. */
  close({ graceMs = CLOSE_GRACE_MS } = {}) {
    this.#closing ??= this.#leave(graceMs);
    return this.#closing;
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.close();
  }

  async #leave(graceMs) {
    const shut = this.#peer.request('shutdown', {}).catch(() => {});
    await within(graceMs, Promise.race([shut, this.#link.closed]));
    this.#link.input.end();
    if (!await within(graceMs, this.#link.closed)) this.#link.terminate();
    if (!await within(graceMs, this.#link.closed)) this.#link.kill();
    await this.#link.closed;
    this.#peer.fail(new HostGone('the host was closed'));
  }

  #request(method, params, taken) {
    return this.#slots.others.use(() => this.#peer.request(method, params, taken));
  }

  #begin(method, params, options) {
    const { onEvent, events } = options;
    // At once: what the run asks and tells may be on the next line.
    return this.#request(method, params, ({ runId }) => {
      if (typeof runId !== 'string') throw new ProtocolViolation('the host began a run without an id');
      const run = new HostRun(this, runId, { handlers: handlersIn(options), onEvent, events });
      this.#runs.set(runId, [...this.#runs.get(runId) ?? [], run]);
      run.ended().then(() => this.#over(run), (error) => this.#over(run, error));
      return run;
    });
  }

  #over(run, error) {
    const others = this.#runs.get(run.runId).filter((other) => other !== run);
    if (others.length > 0) this.#runs.set(run.runId, others);
    else this.#runs.delete(run.runId);
    run.close(error);
  }

  async #untilAborted(run, signal) {
    const abort = () => { run.cancel(wordsOf(signal.reason).slice(0, MOST_REASON)).catch(() => {}); };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      if (signal?.aborted) abort();
      return await run.outcome();
    } catch (error) {
      throw signal?.aborted && error.verdict === 'cancelled' ? Object.assign(aborted(signal), { outcome: error.outcome }) : error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  #notified(method, params, bytes) {
    if (method === 'request.cancelled') this.#answering.cancel(params.id, params.reason);
    if (method !== 'run.event') return; // of a later version
    if (!isObject(params.event)) throw new ProtocolViolation('the host sent an event that is none');
    for (const run of this.#runs.get(params.runId) ?? []) run.hear(params.event, bytes);
  }

  #requireAnswered(options) {
    for (const name of Object.keys(handlersIn(options))) {
      if (!this.#handlers[name]) throw new TypeError(`the host was told that this client has no ${name}; give one to Host.open, too`);
    }
  }
}

function handlersIn(options) {
  return Object.fromEntries(HANDLERS.filter((name) => options[name]).map((name) => [name, options[name]]));
}

function requireInfo(info) {
  if (info.protocolVersion !== HOST_PROTOCOL_VERSION) {
    const told = `${JSON.stringify(info.protocolVersion)}`.slice(0, 40);
    throw new ProtocolViolation(`the host speaks version ${told} of the protocol; this client speaks ${HOST_PROTOCOL_VERSION}`);
  }
  for (const name of ['maxMessageBytes', 'maxOpenRequests']) {
    if (!(Number.isInteger(info[name]) && info[name] > 0)) throw new ProtocolViolation(`the host told no ${name}`);
  }
}

function aborted(signal, what = 'the run was aborted') {
  return Object.assign(new AbortError(what, { cause: signal.reason }), { childAlive: false });
}

function within(ms, promise) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, false);
    promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
