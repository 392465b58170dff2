// The events of a run, for a reader who may be slower than they come.

const MOST_EVENTS = 10_000;

export class Events {
  #held = [];
  #dropped = 0;
  #runId;
  #isOver = false;
  #error = null;
  #wake = () => {};

  constructor(runId) {
    this.#runId = runId;
  }

  /** Keep an event. Where there is no room it is dropped, and a `gap` says how many were. */
  push(event) {
    if (this.#isOver) return;
    this.#isOver = event.type === 'ended' && event.runId === this.#runId;
    if (this.#held.length < MOST_EVENTS || this.#isOver) {
      this.#tellGap();
      this.#held.push(event);
    } else this.#dropped += 1;
    this.#wake();
  }

  /** There are no more: after the host is gone, with the reason. */
  close(error = null) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#wake();
  }

  async* [Symbol.asyncIterator]() {
    for (;;) {
      while (this.#held.length > 0) yield this.#held.shift();
      if (this.#error) throw this.#error;
      if (this.#isOver) return;
      await new Promise((resolve) => { this.#wake = resolve; });
    }
  }

  #tellGap() {
    if (this.#dropped === 0) return;
    this.#held.push({ type: 'gap', runId: this.#runId, dropped: this.#dropped });
    this.#dropped = 0;
  }
}
