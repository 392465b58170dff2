// Where the time went: how many calls were at work and in the queue at each moment, and the span of each
// phase, over one axis.

import { el, refill, svg } from "../base/dom.js";
import { counted, seconds, tick, ticks } from "../base/format.js";
import { spans } from "../base/states.js";

const WIDTH = 1000;
const HEIGHT = 96;
const COLUMNS = 240;
const LANES = ["work", "retry", "wait", "queued"];
const LANE_OF = { work: "work", failed: "retry", retry: "retry", wait: "wait", queued: "queued" };
const LANE_WORDS = { work: "working", retry: "attempts that came to nothing", wait: "waiting for time or a person", queued: "queued" };

/** Average number of calls in each lane, in so many columns of time. */
export function density(calls, extent, now) {
  const found = Object.fromEntries(LANES.map((each) => [each, new Float64Array(COLUMNS)]));
  const width = extent / COLUMNS;
  for (const call of calls) {
    for (const span of spans(call, now)) {
      const lane = found[LANE_OF[span.kind]];
      if (lane !== undefined) spread(lane, span, width);
    }
  }
  return found;
}

function spread(lane, span, width) {
  const first = Math.max(0, Math.floor(span.from / width));
  const last = Math.min(COLUMNS - 1, Math.floor(span.to / width));
  for (let column = first; column <= last; column += 1) {
    const inside = Math.min(span.to, (column + 1) * width) - Math.max(span.from, column * width);
    lane[column] += Math.max(0, inside) / width;
  }
}

function areas(lanes, most) {
  const base = new Float64Array(COLUMNS);
  return LANES.map((name) => {
    const below = base.slice();
    lanes[name].forEach((value, column) => { base[column] += value; });
    if (!lanes[name].some((value) => value > 0)) return null;
    return svg("path", { class: `area lane-${name}`, d: outline(below, base, most) });
  });
}

function outline(below, above, most) {
  const y = (value) => (HEIGHT - (value / most) * HEIGHT).toFixed(1);
  const x = (column) => ((column / COLUMNS) * WIDTH).toFixed(1);
  let path = `M0 ${y(above[0])}`;
  for (let column = 0; column < COLUMNS; column += 1) path += `V${y(above[column])}H${x(column + 1)}`;
  for (let column = COLUMNS - 1; column >= 0; column -= 1) path += `V${y(below[column])}H${x(column)}`;
  return `${path}Z`;
}

/** An axis with its ticks, as elements over the width of its parent. */
export function axis(extent, number = 8) {
  return ticks(extent, number).filter((at) => at <= extent).map((at) =>
    el("span", { class: `tick ${at / extent > 0.94 ? "at-end" : ""}`, style: { left: `${(at / extent) * 100}%` } }, tick(at)));
}

export class Chart {
  constructor(model, onphase) {
    this.model = model;
    this.onphase = onphase;
    this.element = el("section", { class: "panel chart", "aria-labelledby": "chart-title" });
  }

  refresh() {
    const calls = [...this.model.calls.values()];
    this.element.hidden = calls.length === 0;
    if (calls.length === 0) return;
    const { extent, now } = this.model;
    refill(this.element,
      el("div", { class: "panel-head" }, el("h2", { id: "chart-title" }, "Where the time went"), legend(calls)),
      this.picture(calls, extent, now),
      el("div", { class: "lanes" }, this.model.phases().filter((each) => each.calls.length > 0).map((each) => this.lane(each, extent, now))));
  }

  picture(calls, extent, now) {
    const lanes = density(calls, extent, now);
    let most = 1;
    for (let column = 0; column < COLUMNS; column += 1) most = Math.max(most, LANES.reduce((sum, each) => sum + lanes[each][column], 0));
    const peak = Math.max(...lanes.work);
    return el("div", { class: "picture" },
      el("div", { class: "lane-name quiet" }, `calls at once, at most ${Math.max(1, Math.round(most))}`),
      el("div", { class: "plot" },
        svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `Calls at once over ${seconds(extent)}; at most ${Math.round(peak)} at work` }, stripes(), areas(lanes, most)),
        el("div", { class: "axis", "aria-hidden": "true" }, axis(extent))));
  }

  lane(phase, extent, now) {
    const { from, to } = reach(phase.calls, now);
    const lanes = density(phase.calls, extent, now);
    const name = phase.name || "no phase";
    const text = `${counted(phase.calls.length, "call")}, ${seconds(to - from)}`;
    const most = Math.max(1, ...lanes.work.map((_, column) => LANES.reduce((sum, each) => sum + lanes[each][column], 0)));
    return el("button", { type: "button", class: "lane", onclick: () => this.onphase(phase.name), title: `${name}: ${text}` },
      el("span", { class: "lane-name text" }, name, el("span", { class: "lane-text" }, text)),
      el("span", { class: "plot" },
        el("span", { class: "reach", style: { left: `${(from / extent) * 100}%`, width: `${((to - from) / extent) * 100}%` } }),
        svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, areas(lanes, most))));
  }
}

function reach(calls, now) {
  let from = Infinity;
  let to = 0;
  for (const call of calls) {
    from = Math.min(from, call.asked ?? 0);
    to = Math.max(to, call.ended ?? (call.state === "open" || call.state === "queued" ? now : call.began ?? call.asked ?? 0));
  }
  return { from, to: Math.max(from, to) };
}

/** Patterns by which areas differ without colour. */
function stripes() {
  const pattern = (id, className) => svg("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 6, height: 6, class: `${className}-ground` }), svg("rect", { width: 2.5, height: 6, class: className }));
  return svg("defs", {}, pattern("stripes-retry", "stripe-retry"), pattern("stripes-queued", "stripe-queued"));
}

function legend(calls) {
  const present = new Set(calls.flatMap((call) => spans(call, call.ended ?? 0).map((each) => LANE_OF[each.kind] ?? each.kind)));
  return el("ul", { class: "legend" }, [...LANES, "reused"].filter((each) => present.has(each)).map((each) =>
    el("li", {}, el("span", { class: `swatch span-${each}`, "aria-hidden": "true" }), LANE_WORDS[each] ?? "reused answer")));
}
