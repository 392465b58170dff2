// Messages as lines: split, parsed and made, with the bounds that hold in both directions.
import { Buffer } from 'node:buffer';

import { CannotSend, ProtocolViolation, wordsOf } from './errors.js';

export const DEFAULT_MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

// The peer's own bounds: a short text can hide a value that costs a hundred times its bytes.
const MAX_DEPTH = 512;
const MAX_VALUES = 1_000_000;

const JSON_HAS_NOT = ['undefined', 'function', 'symbol'];

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Splits a byte stream into lines and never holds more than one capped line. */
export class LineReader {
  #chunks = [];
  #held = 0;
  #who;

  /** `who` is named in the error about a line over the cap. */
  constructor(maxBytes = DEFAULT_MAX_MESSAGE_BYTES, who = 'the child') {
    this.maxBytes = maxBytes;
    this.#who = who;
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
      throw new ProtocolViolation(`${this.#who} sent over ${this.maxBytes} bytes on one line`);
    }
    this.#chunks.push(bytes);
  }
}

/** The JSON of a line; throws ProtocolViolation, which names who sent it. */
export function parse(line, who) {
  const excess = whyTooMuch(line);
  if (excess) throw new ProtocolViolation(`${who} sent ${excess}`);
  let value;
  try {
    value = JSON.parse(decoder.decode(line));
  } catch (error) {
    throw new ProtocolViolation(`${who} sent what is not JSON: ${error.message.slice(0, 200)}`);
  }
  if (!hasDoublesOnly(value)) throw new ProtocolViolation(`${who} sent a number too large for a double`);
  return value;
}

/** The bytes of a message's line; throws CannotSend, which names what it is. */
export function encode(what, message) {
  for (const [name, value] of Object.entries(message.params ?? {})) {
    // JSON.stringify would leave it out, and the reader would take what is absent for what was meant.
    if (typeof value === 'function' || typeof value === 'symbol') throw new CannotSend(`${what}: ${name} is a ${typeof value}`);
  }
  let line;
  try {
    line = Buffer.from(`${JSON.stringify(message)}\n`);
  } catch (error) { // a cycle, a BigInt, a toJSON that throws, too deep
    throw new CannotSend(`${what}: ${wordsOf(error)}`, { cause: error });
  }
  const excess = whyTooMuch(line);
  if (excess) throw new CannotSend(`${what}: ${excess}`);
  return line;
}

/** A member of a message that is never left out: where JSON has nothing for the value, it is null. */
export class Present {
  #value;

  constructor(value) {
    this.#value = value;
  }

  toJSON(key) {
    const value = typeof this.#value?.toJSON === 'function' ? this.#value.toJSON(key) : this.#value;
    return JSON_HAS_NOT.includes(typeof value) ? null : value;
  }
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

/** JSON.parse makes Infinity of a number that is too large. */
function hasDoublesOnly(value) {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(hasDoublesOnly);
}
