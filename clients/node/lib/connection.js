// The host's end of the wire, without any I/O: bytes in, replies out; messages in, lines out.
import { Buffer } from 'node:buffer';

import { CannotSend, ProtocolViolation } from './errors.js';
import { isObject, requireResult } from './results.js';

export const PROTOCOL_VERSION = '1.0';
export const DEFAULT_MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

// The child's own bounds: a short text can hide a value that costs a hundred times its bytes.
const MAX_DEPTH = 512;
const MAX_VALUES = 1_000_000;

// Errors of a child about a line whose id it could not read.
const WITHOUT_ID = new Set(['parse_error', 'invalid_request', 'message_too_large']);

/** Splits a byte stream into lines and never holds more than one capped line. */
export class LineReader {
  #chunks = [];
  #held = 0;

  constructor(maxBytes = DEFAULT_MAX_MESSAGE_BYTES) {
    this.maxBytes = maxBytes;
  }

  /** The lines that these bytes complete. */
  * feed(chunk) {
    let start = 0;
    for (let end; (end = chunk.indexOf(10, start)) >= 0; start = end + 1) {
      this.#hold(chunk.subarray(start, end));
      const line = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
      this.#chunks = [];
      this.#held = 0;
      yield line;
    }
    this.#hold(chunk.subarray(start));
  }

  #hold(bytes) {
    this.#held += bytes.length;
    if (this.#held > this.maxBytes) {
      throw new ProtocolViolation(`the child sent over ${this.maxBytes} bytes on one line`);
    }
    this.#chunks.push(bytes);
  }
}

/** Gives requests their ids, and accepts a reply only if it is the next one due and satisfies the contract. */
export class Connection {
  #reader = new LineReader();
  #nextId = 1;
  #unanswered = [];
  #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

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
    for (const line of this.#reader.feed(chunk)) yield this.#match(this.#parse(line));
  }

  #parse(line) {
    const excess = whyTooMuch(line);
    if (excess) throw new ProtocolViolation(`the child sent ${excess}`);
    let value;
    try {
      value = JSON.parse(this.#decoder.decode(line));
    } catch (error) {
      throw new ProtocolViolation(`the child sent what is not JSON: ${error.message.slice(0, 200)}`);
    }
    if (!hasDoublesOnly(value)) throw new ProtocolViolation('the child sent a number too large for a double');
    return value;
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

/** JSON.parse makes Infinity of a number that is too large. */
function hasDoublesOnly(value) {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(hasDoublesOnly);
}

function requireError(error) {
  const { code, message, data } = isObject(error) ? error : {};
  if (!Number.isInteger(code) || typeof message !== 'string' || typeof data?.kind !== 'string') {
    throw new ProtocolViolation('the child sent an error without code, message and data.kind');
  }
}

function encode(method, message) {
  let line;
  try {
    line = Buffer.from(`${JSON.stringify(message)}\n`);
  } catch (error) { // a cycle, a BigInt, a toJSON that throws, too deep
    throw new CannotSend(`${method}: ${error?.message ?? error}`, { cause: error });
  }
  const excess = whyTooMuch(line);
  if (excess) throw new CannotSend(`${method}: ${excess}`);
  return line;
}

/** Why a text has too much structure to be parsed; undefined if it has not. */
function whyTooMuch(text) {
  if (text.length <= MAX_DEPTH) return undefined;
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === 0x22) at = endOfString(text, at);
    else if (byte === 0x2c) values += 1;
    else if (byte === 0x5b || byte === 0x7b) {
      values += 1;
      depth += 1;
      if (depth > MAX_DEPTH) return `more than ${MAX_DEPTH} levels of nesting`;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return values > MAX_VALUES ? `more than ${MAX_VALUES} values in one message` : undefined;
}

function endOfString(text, start) {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === 0x5c) at += 1;
    else if (text[at] === 0x22) return at;
  }
  return text.length;
}
