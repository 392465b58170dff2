// JSON-RPC with a host, both ways: requests of ours that it answers in any order, and requests of its own.
import { CannotSend, FlowcageError, ProtocolViolation } from '../errors.js';
import { LineReader, encode, parse } from '../lines.js';
import { isObject } from '../results.js';
import { HostGone, HostRefused } from './errors.js';

const NO_REQUEST = -32601;
// After its output has ended, how the host did is known a little later.
const END_GRACE_MS = 2000;
// Of what the host has not read, before word that may be lost is.
const MOST_UNREAD_BYTES = 1024 * 1024;

export class Peer {
  #link;
  #reader = new LineReader(undefined, 'the host');
  #lastId = 0;
  #waiting = new Map();
  #requested; // answers a request of the host
  #notified;
  #tellGone;

  /** Resolves with the HostGone that ends the conversation. */
  gone = new Promise((resolve) => { this.#tellGone = resolve; });

  /** That error, once there is one. */
  reason = null;

  constructor(link, { requested, notified }) {
    this.#link = link;
    this.#requested = requested;
    this.#notified = notified;
    // Not reported here: the end of its output leads to the reason.
    link.input.on('error', () => {});
    link.output.on('error', () => {});
    link.output.on('data', (chunk) => this.#receive(chunk));
    const gone = () => this.fail(new HostGone(link.ending));
    link.closed.then(gone);
    link.output.once('end', () => setTimeout(gone, END_GRACE_MS).unref());
  }

  set maxMessageBytes(bytes) {
    this.#reader.maxBytes = bytes;
  }

  /**
   * Send a request. `taken` makes what the promise resolves with of the result, at once: before the next line is read.
   * Rejects with HostRefused, HostGone or CannotSend.
   */
  request(method, params, taken = (result) => result) {
    return new Promise((resolve, reject) => {
      if (this.reason) throw this.reason;
      const id = this.#lastId + 1;
      this.#write(method, { jsonrpc: '2.0', id, method, params });
      this.#lastId = id;
      this.#waiting.set(id, { method, resolve, reject, taken });
    });
  }

  /** Send what is not answered; nothing where there is no host any more, or one that does not read. */
  notify(method, params) {
    if (!this.reason && this.#link.input.writableLength < MOST_UNREAD_BYTES) this.#write(method, { jsonrpc: '2.0', method, params });
  }

  /** Answer a request of the host's. Throws CannotSend, and then nothing was sent. */
  answer(id, answer) {
    if (!this.reason) this.#write('the answer', { jsonrpc: '2.0', id, ...answer });
  }

  /** End the conversation: whoever waits gets this error. */
  fail(error) {
    if (this.reason) return;
    this.reason = error;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
    this.#tellGone(error);
  }

  #write(what, message) {
    const line = encode(what, message);
    const { maxBytes } = this.#reader;
    if (line.length > maxBytes + 1) {
      throw new CannotSend(`${what} cannot be sent: its ${line.length - 1} bytes are more than maxMessageBytes (${maxBytes})`);
    }
    this.#link.input.write(line);
  }

  #receive(chunk) {
    if (this.reason) return;
    try {
      for (const line of this.#reader.feed(chunk)) this.#take(parse(line, 'the host'), line.length);
    } catch (cause) {
      // Whatever it is, the conversation cannot go on.
      this.fail(cause instanceof FlowcageError ? new HostGone(cause.message, { cause }) : cause);
      this.#link.kill();
    }
  }

  #take(message, bytes) {
    if (!isObject(message) || message.jsonrpc !== '2.0') throw new ProtocolViolation('the host sent what is no JSON-RPC 2.0 message');
    const { id, method, params } = message;
    if (method === undefined) this.#settle(message);
    else if (typeof method !== 'string' || !isObject(params ?? {})) {
      throw new ProtocolViolation('the host sent a request without a method, or without members as its params');
    } else if (id === undefined) this.#notified(method, params ?? {}, bytes);
    else if (this.#requested(id, method, params ?? {}) === false) {
      // Of a later version.
      const data = { kind: 'failed' };
      this.answer(id, { error: { code: NO_REQUEST, message: `this client answers no ${method.slice(0, 40)}`, data } });
    }
  }

  #settle({ id, result, error }) {
    const due = this.#waiting.get(id);
    if (error === undefined && due === undefined) throw new ProtocolViolation('the host answered what nobody asked');
    if (error !== undefined) requireError(error);
    if (due === undefined) throw new ProtocolViolation(`the host refused a line: ${error.message}`);
    if (error === undefined && !isObject(result)) throw new ProtocolViolation(`the host answered ${due.method} without members`);
    // Where it throws, the request still waits, for the reason.
    const taken = error === undefined ? due.taken(result) : null;
    this.#waiting.delete(id);
    if (error === undefined) due.resolve(taken);
    else due.reject(new HostRefused(error));
  }
}

function requireError(error) {
  const { code, message, data } = isObject(error) ? error : {};
  if (!Number.isInteger(code) || typeof message !== 'string' || typeof data?.kind !== 'string') {
    throw new ProtocolViolation('the host sent an error without code, message and data.kind');
  }
}
