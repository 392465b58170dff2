// Answers the requests of one run, each exactly once, and holds the answers until they are asked for.
import { setMaxListeners } from 'node:events';

import { HandlerFailed, ProtocolViolation, RequestRejected, WorkflowFailed, WorkflowStalled, wordsOf } from './errors.js';
import { Present } from './lines.js';
import { Slots } from './slots.js';

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const TYPES = ['agent', 'workflow', 'sleep', 'sandbox_exec', 'ask'];
// Errors of a handler that reject one request. The failure of a child workflow is among them: its parent may catch it.
const REJECTIONS = [RequestRejected, WorkflowFailed, WorkflowStalled];

export class Answers {
  #handlers;
  #budget;
  #signal;
  #maxPending;
  #agents;
  #children;
  #waiting = new Set();
  #handedOut = 0;
  #ready = [];
  #abandon;
  #wake = () => {};

  /** `signal` aborts when the run is over, with the reason; `abandon` ends the run with an error. */
  constructor(options, maxPending, signal, abandon) {
    this.#handlers = options;
    this.#budget = options.budget;
    this.#maxPending = maxPending;
    this.#agents = new Slots(options.maxAgents);
    this.#children = new Slots(options.maxChildren);
    this.#signal = signal;
    this.#abandon = abandon;
    setMaxListeners(0, signal); // one for each sleep, and those of handlers
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  /** Count the requests of a drain, which `begin` answers. */
  admit(requests) {
    for (const request of requests) {
      if (!TYPES.includes(request.type)) {
        throw new ProtocolViolation(`the child sent a request of an unknown type: ${request.type.slice(0, 40)}`);
      }
      // Ids count from 1, so a repeated one is recognised without a record of those before.
      this.#handedOut += 1;
      if (request.id !== String(this.#handedOut)) {
        throw new ProtocolViolation(`the child gave request ${this.#handedOut} the id ${request.id.slice(0, 40)}`);
      }
      this.#waiting.add(request.id);
      if (this.outstanding > this.#maxPending) {
        throw new ProtocolViolation('the child has more requests outstanding than its limit');
      }
    }
  }

  begin(requests) {
    for (const request of requests) this.#settle(request);
  }

  /** Requests that no resolve has settled. */
  get outstanding() {
    return this.#waiting.size + this.#ready.length;
  }

  /** Wait until there is an answer; rejects with the reason when the run is over. */
  async wait() {
    while (this.#ready.length === 0 && !this.#signal.aborted) {
      await new Promise((resolve) => { this.#wake = resolve; });
    }
    this.#signal.throwIfAborted();
  }

  /** The oldest answer, as `{id, resolution}`; undefined where there is none. */
  next() {
    return this.#ready.shift();
  }

  /** The oldest answers, as many as there are, up to `most`. */
  take(most) {
    return this.#ready.splice(0, most);
  }

  /** Undo a `take`, whose answers were not sent. */
  putBack(answers) {
    this.#ready.unshift(...answers);
  }

  async #settle(request) {
    let resolution;
    try {
      resolution = this.#resolution(await this.#answer(request));
    } catch (error) {
      if (!REJECTIONS.some((kind) => error instanceof kind)) {
        if (!this.#signal.aborted) this.#abandon(failureOf(request, error));
        return;
      }
      resolution = { type: 'error', message: wordsOf(error) };
    }
    this.#waiting.delete(request.id);
    this.#ready.push({ id: request.id, resolution });
    this.#wake();
  }

  #resolution(value) {
    if (value === undefined) return { type: 'ok_undefined' };
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new RequestRejected(`the host's answer cannot be sent: it is a ${typeof value}`);
    }
    return { type: 'ok', value: new Present(value), budget: this.#budget && { ...this.#budget } };
  }

  #answer(request) {
    const { agent, workflow, sandboxExec, ask } = this.#handlers;
    const context = { ...request, signal: this.#signal };
    switch (request.type) {
      case 'sleep':
        return this.#sleep(request.durationMs);
      case 'agent':
        return this.#use(this.#agents, agent, request, [request.prompt, request.options ?? {}, context]);
      case 'workflow':
        return this.#use(this.#children, workflow, request, [request.ref, request.args, context]);
      case 'ask': // a person takes no place at work
        if (!ask) throw new RequestRejected('ask() is refused: this host asks nobody');
        return ask(request.question, context);
      default: // sandbox_exec
        return this.#use(this.#children, sandboxExec, request, [request.profile, request.request, context]);
    }
  }

  async #use(slots, handler, request, args) {
    if (!handler) throw new RequestRejected(`this host answers no ${request.type.slice(0, 40)} requests`);
    return slots.use(() => {
      this.#signal.throwIfAborted();
      return handler(...args);
    });
  }

  async #sleep(durationMs) {
    const wakeAt = performance.now() + durationMs;
    for (let left = durationMs; left > 0; left = wakeAt - performance.now()) {
      await this.#pause(Math.min(Math.ceil(left), LONGEST_TIMER_MS));
    }
  }

  #pause(ms) {
    return new Promise((resolve, reject) => {
      const over = () => {
        clearTimeout(timer);
        reject(this.#signal.reason);
      };
      const timer = setTimeout(() => {
        this.#signal.removeEventListener('abort', over);
        resolve();
      }, ms);
      this.#signal.addEventListener('abort', over, { once: true });
    });
  }
}

function failureOf({ type, id }, cause) {
  return new HandlerFailed(`the handler of ${type} request ${id.slice(0, 40)} threw: ${wordsOf(cause)}`, { cause });
}
