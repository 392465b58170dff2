/** Lets a fixed number of tasks run at once; the others wait in order. */
export class Slots {
  #free;
  #queue = [];

  constructor(count) {
    this.#free = count;
  }

  async use(task) {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise((resolve) => this.#queue.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
