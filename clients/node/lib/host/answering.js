// Answers the host's requests with the program's handlers, each of which hears by its signal when nobody waits any more.
import { CannotSend, ProtocolViolation, RequestRejected, wordsOf } from '../errors.js';
import { Present } from '../lines.js';
import { isObject } from '../results.js';

const OUR_ERROR = -32000;
// Characters of the error of a broken handler, which is told as such however long it is.
const MOST_FAULT = 10_000;

/** What an agent answers with beside a value; the members are those of the result of `agent.ask`. */
export class AgentAnswer {
  constructor(members) {
    Object.assign(this, members);
  }
}

const isText = (it) => typeof it === 'string';
const isRef = (it) => isText(it) || isText(it?.scriptPath);

// By method: the handler's name, the arguments that it is called with beside the call, and what these have to be.
const KINDS = {
  'agent.ask': ['agent', { prompt: isText, options: isObject }],
  'workflow.get': ['workflow', { ref: isRef, args: () => true }],
  'sandbox.exec': ['sandboxExec', { profile: isText, program: isObject }],
  'question.ask': ['ask', { question: isText }],
};

/** The names of handlers. */
export const HANDLERS = Object.values(KINDS).map(([name]) => name);

export class Answering {
  #handlersOf;
  #asked = new Map();
  #peer;

  /** `handlersOf` gives those of a run by its id. */
  constructor(handlersOf) {
    this.#handlersOf = handlersOf;
  }

  /** Answer through this peer. */
  use(peer) {
    this.#peer = peer;
    peer.gone.then((reason) => {
      for (const asked of this.#asked.values()) asked.abort(reason);
      this.#asked.clear();
    });
  }

  /** Begin to answer; false where nobody knows such a request. */
  begin(id, method, params) {
    const kind = Object.hasOwn(KINDS, method) && KINDS[method];
    if (!kind) return false;
    const [, members] = kind;
    const wrong = Object.keys(members).find((member) => !members[member](params[member]));
    if (wrong) throw new ProtocolViolation(`the host's ${method} is not in the protocol: ${wrong}`);
    const asked = new AbortController();
    this.#asked.set(id, asked);
    this.#answer(id, kind, params, asked.signal);
    return true;
  }

  /** The host does not wait any more. */
  cancel(id, reason) {
    this.#asked.get(id)?.abort(new RequestRejected(`the host waits no longer for this answer: ${reason}`));
    this.#asked.delete(id);
  }

  async #answer(id, [name, members], params, signal) {
    let answer;
    try {
      const handler = this.#handlersOf(params.rootRunId)[name];
      if (!handler) throw new RequestRejected(`this client answers no ${name} requests`);
      const call = { ...params, signal, ...this.#within(id, signal) };
      const value = await handler(...Object.keys(members).map((member) => params[member]), call);
      answer = { result: resultOf(name, value) };
    } catch (error) {
      answer = { error: failureOf(error) };
    }
    if (this.#asked.get(id)?.signal === signal) this.#send(id, answer);
  }

  #send(id, answer) {
    this.#asked.delete(id);
    try {
      this.#peer.answer(id, answer);
    } catch (error) {
      if (!(error instanceof CannotSend)) throw error;
      this.#peer.answer(id, { error: failureOf(new RequestRejected(error.message.slice(0, 1000))) });
    }
  }

  /** What a handler may tell before it answers. */
  #within(id, signal) {
    return {
      progress: (told) => { if (!signal.aborted) this.#peer.notify('agent.progress', { ...told, id }); },
      remember: async (handle) => { await this.#peer.request('agent.remember', { id, handle }); },
    };
  }
}

function resultOf(name, value) {
  if (name === 'agent' && value instanceof AgentAnswer) {
    return value.text === undefined ? { ...value, value: sendable(value.value) } : { ...value };
  }
  if (name === 'workflow') return workflowOf(value);
  return { value: sendable(value) };
}

/** A workflow is a source; a result without one is wrapped, `{ value }`. */
function workflowOf(value) {
  if (typeof value === 'string') return { source: value };
  if (isObject(value) && typeof value.source === 'string') return value;
  if (isObject(value) && 'value' in value) return { value: sendable(value.value) };
  throw new TypeError('a workflow handler returns a source, { source, sourceName } or { value }');
}

function sendable(value) {
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw new RequestRejected(`the answer cannot be sent: it is a ${typeof value}`);
  }
  return new Present(value);
}

function failureOf(error) {
  if (!(error instanceof RequestRejected)) {
    return { code: OUR_ERROR, message: wordsOf(error).slice(0, MOST_FAULT), data: { kind: 'fault' } };
  }
  return { code: OUR_ERROR, message: wordsOf(error), data: { ...error.spent, kind: error.kind ?? 'rejected' } };
}
