// The host's end of the wire, without any I/O: bytes in, replies out; messages in, lines out.
import { CannotSend, ProtocolViolation } from './errors.js';
import { DEFAULT_MAX_MESSAGE_BYTES, LineReader, encode, parse } from './lines.js';
import { isObject, requireResult } from './results.js';

export { DEFAULT_MAX_MESSAGE_BYTES, LineReader };
export const PROTOCOL_VERSION = '1.0';

// Errors of a child about a line whose id it could not read.
const WITHOUT_ID = new Set(['parse_error', 'invalid_request', 'message_too_large']);

/** Gives requests their ids, and accepts a reply only if it is the next one due and satisfies the contract. */
export class Connection {
  #reader = new LineReader();
  #nextId = 1;
  #unanswered = [];

  /** Longest line in either direction; `initialize` may lower it. */
  get maxMessageBytes() {
    return this.#reader.maxBytes;
  }

  set maxMessageBytes(value) {
    this.#reader.maxBytes = value;
  }

  /** A request as the bytes of its line. Throws CannotSend, and then nothing was sent. */
  send(method, params = {}) {
    const line = encode(method, { jsonrpc: '2.0', id: this.#nextId, method, params });
    if (line.length > this.maxMessageBytes + 1) {
      throw new CannotSend(`${method} takes ${line.length} bytes; a line may have ${this.maxMessageBytes}`);
    }
    this.#unanswered.push({ id: this.#nextId, method });
    this.#nextId += 1;
    return line;
  }

  /** The replies in these bytes, in order: `{method, result}` or `{method, error}`. */
  * receive(chunk) {
    for (const line of this.#reader.feed(chunk)) yield this.#match(parse(line, 'the child'));
  }

  #match(reply) {
    const due = this.#unanswered.shift();
    if (!due) throw new ProtocolViolation('the child replied to nothing');
    const isError = isObject(reply) && 'error' in reply;
    if (!isObject(reply) || reply.jsonrpc !== '2.0' || isError === 'result' in reply) {
      throw new ProtocolViolation('the child sent what is no JSON-RPC 2.0 reply');
    }
    if (isError) requireError(reply.error);
    if (reply.id !== due.id && !(isError && reply.id === null && WITHOUT_ID.has(reply.error.data.kind))) {
      const told = JSON.stringify(reply.id) ?? 'no id';
      throw new ProtocolViolation(`the child replied to ${told.slice(0, 40)} instead of ${due.id}`);
    }
    if (isError) return { method: due.method, error: reply.error };
    requireResult(due.method, reply.result);
    return { method: due.method, result: reply.result };
  }
}

function requireError(error) {
  const { code, message, data } = isObject(error) ? error : {};
  if (!Number.isInteger(code) || typeof message !== 'string' || typeof data?.kind !== 'string') {
    throw new ProtocolViolation('the child sent an error without code, message and data.kind');
  }
}
