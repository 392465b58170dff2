// The head of the list of calls: names of its columns, and the axis of time, on which a part can be chosen
// with the pointer.

import { button, el, refill } from "../base/dom.js";
import { seconds, tick, ticks } from "../base/format.js";

const FULL = 0.93; // no room for a label behind it
const LEAST_SECONDS = 0.001;
const LEAST_PIXELS = 6; // less is a click

/** An axis with its ticks, as elements over the width of its parent. */
export function axis({ from, to }, number = 8) {
  const length = to - from;
  return ticks(from, to, number).map((at) => {
    const part = (at - from) / length;
    const style = { left: `${(part * 100).toFixed(3)}%` };
    return el("span", { class: "tick", style }, part > FULL ? "" : tick(at, length / number));
  });
}

export class Ruler {
  /** `onchoice(range)` is told the part of the time that was chosen, or null for all of it. */
  constructor(onchoice) {
    this.onchoice = onchoice;
    this.chosen = el("span", { class: "chosen", hidden: true });
    this.plot = el("span", {
      class: "plot",
      title: "Drag to see a part of the time",
      onpointerdown: (event) => this.begin(event),
      onpointermove: (event) => this.go(event),
      onpointerup: (event) => this.end(event),
      onpointercancel: () => this.drop(),
    });
    this.element = el(
      "div",
      { class: "ruler", "aria-hidden": "true" },
      el("span", { class: "ruler-name" }, "Call"),
      ["Model", "Tokens", "Cost", "At work"].map((each) => el("span", { class: "ruler-cell" }, each)),
      this.plot,
    );
    new ResizeObserver(() => this.draw()).observe(this.plot);
    this.whole = button("", () => onchoice(null), {
      class: "chip whole",
      hidden: true,
      title: "All of the time (Esc)",
    });
  }

  refresh(range, isPart) {
    this.range = range;
    if (this.from === undefined)
      refill(this.plot, axis(range, Math.max(2, Math.min(8, this.plot.clientWidth / 80))), this.chosen);
    this.whole.hidden = !isPart;
    refill(this.whole, `✕ ${seconds(range.from)} to ${seconds(range.to)}`);
  }

  draw() {
    const room = Math.max(2, Math.min(8, this.plot.clientWidth / 64));
    if (this.from === undefined && this.range) refill(this.plot, axis(this.range, room), this.chosen);
  }

  begin(event) {
    if (event.button !== 0) return;
    this.from = event.clientX;
    this.plot.setPointerCapture(event.pointerId);
    this.go(event);
  }

  go(event) {
    if (this.from === undefined) return;
    const { left, width } = this.plot.getBoundingClientRect();
    const [low, high] = [this.from, event.clientX].sort((one, other) => one - other);
    this.parts = [low, high].map((at) => Math.min(1, Math.max(0, (at - left) / width)));
    this.chosen.hidden = high - low < LEAST_PIXELS;
    this.chosen.style.left = `${this.parts[0] * 100}%`;
    this.chosen.style.width = `${(this.parts[1] - this.parts[0]) * 100}%`;
  }

  end(event) {
    if (this.from === undefined) return;
    this.go(event);
    const isChoice = !this.chosen.hidden;
    this.drop();
    const at = (part) => this.range.from + part * (this.range.to - this.range.from);
    const [from, to] = this.parts.map(at);
    if (isChoice && to - from >= LEAST_SECONDS) this.onchoice({ from, to });
  }

  drop() {
    this.from = undefined;
    this.chosen.hidden = true;
  }
}
