// The events of a run, for a reader who may be slower than they come.

const MOST_EVENTS = 10_000;
const MOST_BYTES = 16 * 1024 * 1024;

export class Events {
  #held = []; // [event, bytes]
  #bytes = 0;
  #dropped = 0;
  #runId;
  #isOver = false;
  #error = null;
  #wakes = []; // of whoever reads

  constructor(runId) {
    this.#runId = runId;
  }

  /** Keep an event of so many bytes. Where there is no room it is dropped, and a `gap` says how many were. */
  push(event, bytes) {
    if (this.#isOver) return;
    this.#isOver = event.type === 'ended' && event.runId === this.#runId;
    if ((this.#held.length < MOST_EVENTS && this.#bytes < MOST_BYTES) || this.#isOver) {
      this.#tellGap();
      this.#hold(event, bytes);
    } else this.#dropped += 1;
    this.#wake();
  }

  /** There are no more: after the end of the run, and after the host is gone, with the reason. */
  close(error = null) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#wake();
  }

  async* [Symbol.asyncIterator]() {
    for (;;) {
      while (this.#held.length > 0) yield this.#next();
      if (this.#error) throw this.#error;
      if (this.#isOver) return;
      await new Promise((resolve) => { this.#wakes.push(resolve); });
    }
  }

  #hold(event, bytes) {
    this.#held.push([event, bytes]);
    this.#bytes += bytes;
  }

  #next() {
    const [event, bytes] = this.#held.shift();
    this.#bytes -= bytes;
    return event;
  }

  #wake() {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  #tellGap() {
    if (this.#dropped === 0) return;
    this.#hold({ type: 'gap', runId: this.#runId, dropped: this.#dropped }, 0);
    this.#dropped = 0;
  }
}
