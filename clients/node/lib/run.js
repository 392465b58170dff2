// One run: a child of its own, driven until it completes, fails or is ended: with `run` and `advance`, or, where the
// child is older than these, with `start`, `resolve` and `drain`.
import { Answers } from './answers.js';
import { Child } from './child.js';
import {
  AbortError, CannotSend, HandlerFailed, ProtocolViolation, RunRefused, TimedOut, WorkflowFailed, WorkflowStalled, wordsOf,
} from './errors.js';
import { spawnChild } from './transport.js';

const DEFAULTS = { maxPendingRequests: 20_000, maxQueuedBytes: 4 * 1024 * 1024, stepTimeoutMs: 5000 };
const JOINED = ['run', 'advance'];
// On the clock a step may take this many times its CPU limit: the machine may be busy.
const STEP_CLOCK_FACTOR = 10;
const QUEUED_ITEM_BYTES = 100; // what the contract counts for each call besides its text
const MOST_KEPT = 10_000;
// Bounds of one write: more answers would only wait in memory until the child reads them.
const MOST_ANSWERS = 250;
const MOST_ANSWER_BYTES = 1024 * 1024;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Run one workflow in a child of its own, which has ended when the promise settles.
 * index.d.ts documents options, outcome and errors.
 */
export async function run(source, options = {}) {
  const settings = {
    transport: spawnChild(), timeoutMs: 3_600_000, answerGraceMs: 5000, maxAgents: 16, maxChildren: 4, ...given(options),
  };
  requireSane(settings);
  return new Run(settings).execute(source);
}

class Run {
  #options;
  #limits;
  #over = new AbortController();
  #began = performance.now();
  #child = null;
  #isJoined = false; // whether `run` and `advance` are used
  #report = { logs: [], phases: [], diagnostics: [], dropped: 0, requests: 0, isolation: {}, limits: {} };

  constructor(options) {
    this.#options = options;
    this.#limits = { ...DEFAULTS, ...given(options.limits) };
  }

  async execute(source) {
    const { signal, timeoutMs } = this.#options;
    const abort = () => this.#end(new AbortError('the run was aborted', { cause: signal.reason }));
    const timer = setTimeout(
      () => this.#end(new TimedOut(`the run took longer than its limit of ${timeoutMs} ms`)), timeoutMs,
    );
    signal?.addEventListener('abort', abort, { once: true });
    try {
      if (signal?.aborted) abort();
      return { result: await this.#converse(source), ...this.#told() };
    } catch (error) {
      if (!this.#child) error.childAlive = false;
      throw Object.assign(error, { report: this.#told() });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      this.#end(new AbortError('the run is over'));
    }
  }

  /** Ends the run: the child is killed if it still runs, and the handlers' signals fire. */
  #end(reason) {
    if (!this.#over.signal.aborted) this.#over.abort(reason);
  }

  async #converse(source) {
    const { transport, maxReceivedBytes } = this.#options;
    const child = await Child.open(transport, { signal: this.#over.signal, maxReceivedBytes });
    this.#child = child;
    child.failed.then((error) => this.#end(error));
    try {
      const { limits, isolation } = this.#options;
      const initialized = await child.initialize({ limits, isolation });
      Object.assign(this.#report, { limits: initialized.limits, isolation: initialized.isolation });
      this.#isJoined = JOINED.every((method) => child.methods.includes(method));
      this.#requireModules(child);
      return await this.#drive(child, source).catch((error) => { throw believed(error); });
    } catch (error) {
      if (!(error instanceof WorkflowFailed)) child.fail(error);
      throw error;
    } finally {
      await child.close();
    }
  }

  #requireModules(child) {
    if (Object.keys(this.#options.modules ?? {}).length > 0 && !child.methods.includes('imports')) {
      throw new RunRefused('the child takes no modules: it has no method imports; use a newer one');
    }
  }

  async #drive(child, source) {
    const { sourceName, args, budget, dialect, modules } = this.#options;
    const { maxPendingRequests } = this.#limits;
    const answers = new Answers(this.#options, maxPendingRequests, this.#over.signal, (error) => child.fail(error));
    let isFailing = false; // the last drain said more, and the failure must follow
    let drained = await this.#begin(child, { source, sourceName, args, budget, dialect, modules });
    for (;;) {
      this.#takeIn(drained);
      answers.admit(drained.requests);
      requirePossible(drained, answers.outstanding, isFailing);
      isFailing = drained.more;
      if (drained.state === 'complete') return drained.output.result;
      answers.begin(drained.requests);
      if (drained.stalled) {
        throw new WorkflowStalled('the workflow can never finish: it waits for a promise that nothing will settle');
      }
      if (!drained.more) await answers.wait();
      drained = await this.#goOn(child, answers);
    }
  }

  async #begin(child, params) {
    this.#allow(child, this.#isJoined ? 2 : 1); // to compile and to run are two steps
    const drained = await (this.#isJoined ? child.run(params) : lastOf([child.start(params), child.drain()]));
    this.#allow(child, 1);
    return drained;
  }

  async #goOn(child, answers) {
    const turn = this.#isJoined ? answers.take(MOST_ANSWERS) : [];
    try {
      if (turn.length > 0) return await child.advance([turn]);
    } catch (error) {
      if (!(error instanceof CannotSend)) throw error;
      // One of them is no JSON, or all together are too long for a line: from now on each has one of its own.
      this.#isJoined = false;
      answers.putBack(turn);
    }
    // In one write: the resolutions, and the drain that lets them take effect.
    return lastOf([...sendAnswers(child, answers), child.drain()]);
  }

  /** Give each answer of the child time for so many steps. */
  #allow(child, steps) {
    const { answerGraceMs } = this.#options;
    child.answerTimeoutMs = steps * this.#limits.stepTimeoutMs + answerGraceMs;
    child.answerClockMs = steps * STEP_CLOCK_FACTOR * this.#limits.stepTimeoutMs + answerGraceMs;
  }

  #takeIn({ calls, requests, diagnostics = [] }) {
    if (calls.length * QUEUED_ITEM_BYTES > this.#limits.maxQueuedBytes) {
      throw new ProtocolViolation('the child has more calls queued than its limit');
    }
    this.#report.requests += requests.length;
    for (const call of calls) this.#listen(call);
    this.#keep('diagnostics', ...diagnostics);
  }

  #listen(call) {
    const { onLog, onPhase, onOther } = this.#options;
    if (call.type !== 'log' && call.type !== 'phase' && !onOther) {
      throw new ProtocolViolation(`the child made a call of an unknown type: ${call.type.slice(0, 40)}`);
    }
    if (call.type === 'log') this.#keep('logs', call.values);
    if (call.type === 'phase') this.#keep('phases', call.name);
    const failed = (cause) => new HandlerFailed(`a listener threw: ${wordsOf(cause)}`, { cause });
    try {
      heardBy(call, { onLog, onPhase, onOther })?.catch?.((cause) => this.#child.fail(failed(cause)));
    } catch (cause) {
      throw failed(cause);
    }
  }

  #keep(list, ...items) {
    const kept = items.slice(0, Math.max(0, MOST_KEPT - this.#report[list].length));
    this.#report[list].push(...kept);
    this.#report.dropped += items.length - kept.length;
  }

  #told() {
    const { requests, ...report } = this.#report;
    const { messages = 0, bytesSent = 0, bytesReceived = 0 } = this.#child ?? {};
    const wallMs = performance.now() - this.#began;
    return { ...report, usage: { wallMs, requests, messages, bytesSent, bytesReceived } };
  }
}

/** End a run whose child reports a state that cannot be true: docs/protocol.md, "What cannot be true". */
function requirePossible({ stalled, more, state }, outstanding, isFailing) {
  const said = [state === 'complete', stalled, more].filter(Boolean).length;
  const lie = (isFailing && 'has not failed after all')
    || (said > 1 && 'is in two states at once')
    || (stalled && outstanding > 0 && 'can never finish, while requests of it are outstanding')
    || (said === 0 && outstanding === 0 && 'waits, but nothing is outstanding that it could wait for');
  if (lie) throw new ProtocolViolation(`the child says that the workflow ${lie}`);
}

/** A child that has seen source may be compromised: a correct one does not refuse messages that keep the contract. */
function believed(error) {
  return error instanceof RunRefused ? new ProtocolViolation(error.message, { cause: error }) : error;
}

/** What the listener returns: an async one a promise. */
function heardBy(call, { onLog, onPhase, onOther }) {
  if (call.type === 'log') return onLog?.(call.values);
  if (call.type === 'phase') return onPhase?.(call.name, call.options ?? {});
  return onOther(call);
}

async function lastOf(replies) {
  return (await Promise.all(replies)).pop();
}

function* sendAnswers(child, answers) {
  const mostBytes = child.bytesSent + MOST_ANSWER_BYTES;
  for (let count = 0; count < MOST_ANSWERS && child.bytesSent < mostBytes; count += 1) {
    const answer = answers.next();
    if (!answer) return;
    yield child.resolve(answer.id, answer.resolution);
  }
}

/** In every option undefined is the same as absent. */
function given(options) {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined));
}

function requireSane(settings) {
  for (const name of ['timeoutMs', 'answerGraceMs', 'maxAgents', 'maxChildren']) {
    const value = settings[name];
    if (!(value > 0 && value <= LONGEST_TIMER_MS)) {
      throw new RangeError(`${name} must be above 0 and at most ${LONGEST_TIMER_MS}, not ${value}`);
    }
  }
}
