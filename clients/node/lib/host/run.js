// A run that a host carries out.
import { HandlerFailed, wordsOf } from '../errors.js';
import { Events } from './events.js';
import { completed, requireOutcome } from './outcomes.js';

export class HostRun {
  #host;
  #ending = null;
  #events;
  #onEvent;
  #failure = null;

  /** Its id, in events and in the host's store. */
  runId;

  /** Of this run; those of the host answer what these do not. */
  handlers;

  constructor(host, runId, { handlers = {}, onEvent, events } = {}) {
    this.#host = host;
    this.runId = runId;
    this.handlers = handlers;
    this.#onEvent = onEvent;
    this.#events = events ? new Events(runId) : null;
  }

  /** What comes of it. Rejects with a RunError where that is no result, and with HostGone. */
  async outcome() {
    const outcome = await this.ended();
    if (this.#failure) throw Object.assign(this.#failure, { outcome });
    return completed(outcome);
  }

  /** How it ended, also where there is no result. */
  ended() {
    this.#ending ??= this.#host.wait('run.wait', { runId: this.runId }, requireOutcome);
    return this.#ending;
  }

  /** End it: the child is killed. */
  cancel(reason) {
    return this.#host.cancel(this.runId, reason);
  }

  /** Its events from the beginning, for one reader; the last is `ended`. It has to be started with `events: true`. */
  [Symbol.asyncIterator]() {
    if (!this.#events) throw new TypeError('start the run with { events: true } to read its events');
    return this.#events[Symbol.asyncIterator]();
  }

  /** For the host: something happened, told in so many bytes. Where the listener throws, the run is ended. */
  hear(event, bytes) {
    this.#events?.push(event, bytes);
    if (this.#failure) return;
    try {
      this.#onEvent?.(event)?.catch?.((cause) => this.#fail(cause)); // an async one returns a promise
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #fail(cause) {
    if (this.#failure) return;
    this.#failure = new HandlerFailed(`a listener threw: ${wordsOf(cause)}`, { cause });
    this.cancel('a listener threw').catch(() => {}); // it has ended before
  }

  /** For the host: there is nothing more to hear. */
  close(error) {
    this.#events?.close(error);
  }
}
