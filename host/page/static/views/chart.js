// Where the time went: how many calls were at work and how many in the queue at each moment, and the same
// for each phase, over one axis.

import { el, refill, svg } from "../base/dom.js";
import { count, counted, seconds } from "../base/format.js";
import { spans, workedTogether } from "../base/states.js";
import { axis } from "./ruler.js";

const WIDTH = 1000;
const HEIGHT = 96;
const COLUMNS = 240;
const AT_WORK = ["work", "retry", "wait"];
const IN_QUEUE = ["queued"];
const LANE_OF = { work: "work", failed: "retry", retry: "retry", wait: "wait", queued: "queued" };
const WORDS = {
  work: "working",
  retry: "attempts that came to nothing",
  wait: "waiting for time or a person",
  queued: "queued",
  reused: "reused answer",
};

/** Average number of calls in each lane, in so many columns of time. */
export function density(calls, extent, now) {
  const lanes = [...AT_WORK, ...IN_QUEUE];
  const found = Object.fromEntries(lanes.map((each) => [each, new Float64Array(COLUMNS)]));
  const width = extent / COLUMNS;
  for (const call of calls) {
    if (call.kind === "workflow") continue; // its own calls are counted
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

function highest(found, names) {
  let most = 0;
  for (let column = 0; column < COLUMNS; column += 1)
    most = Math.max(
      most,
      names.reduce((sum, each) => sum + found[each][column], 0),
    );
  return most;
}

function areas(found, names, most) {
  const base = new Float64Array(COLUMNS);
  return names.map((name) => {
    const below = base.slice();
    found[name].forEach((value, column) => {
      base[column] += value;
    });
    if (!found[name].some((value) => value > 0)) return null;
    const fill = name === "retry" || name === "queued" ? `url(#stripes-${name})` : null;
    return svg("path", { class: `area lane-${name}`, fill, d: outline(below, base, Math.max(most, 1e-9)) });
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

/** From the first call's beginning to the last one's end. */
export function reach(calls, now) {
  let from = Infinity;
  let to = 0;
  for (const call of calls) {
    from = Math.min(from, call.asked ?? 0);
    to = Math.max(
      to,
      call.ended ?? (call.state === "open" || call.state === "queued" ? now : (call.began ?? call.asked ?? 0)),
    );
  }
  return { from, to: Math.max(from, to) };
}

function queuedSeconds(calls, now) {
  return calls.reduce(
    (sum, call) =>
      sum + spans(call, now).reduce((own, each) => own + (each.kind === "queued" ? each.to - each.from : 0), 0),
    0,
  );
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
    const found = density(calls, extent, now);
    const most = highest(found, AT_WORK);
    const phases = this.model.phases().filter((each) => each.calls.length > 0);
    const room = Math.max(3, Math.min(10, this.element.clientWidth / 110));
    refill(
      this.element,
      el("div", { class: "panel-head" }, el("h2", { id: "chart-title" }, "Where the time went"), legend(calls)),
      patterns(),
      el(
        "div",
        { class: "pictures" },
        this.picture("at work at once", found, AT_WORK, most, extent),
        highest(found, IN_QUEUE) >= 0.5
          ? this.picture("in the queue", found, IN_QUEUE, highest(found, IN_QUEUE), extent)
          : null,
        el(
          "div",
          { class: "picture" },
          el("span"),
          el("div", { class: "plot axis-plot", "aria-hidden": "true" }, axis({ from: 0, to: extent }, room)),
        ),
      ),
      el(
        "div",
        { class: "lanes" },
        phases.length === 1 && phases[0].name === "" ? null : phases.map((each) => this.lane(each, extent, now, most)),
      ),
    );
  }

  picture(name, found, names, most, extent) {
    const at = Math.max(1, Math.round(most));
    return el(
      "div",
      { class: `picture picture-${names[0]}` },
      el("div", { class: "lane-name" }, name, el("span", { class: "lane-text" }, `at most ${count(at)}`)),
      el(
        "div",
        { class: "plot" },
        svg(
          "svg",
          {
            viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
            preserveAspectRatio: "none",
            role: "img",
            "aria-label": `Calls ${name} over ${seconds(extent)}, at most ${at}`,
          },
          areas(found, names, most),
        ),
      ),
    );
  }

  lane(phase, extent, now, most) {
    const { from, to } = reach(phase.calls, now);
    const name = phase.name || "no phase";
    const worked = workedTogether(phase.calls, now);
    const queued = queuedSeconds(phase.calls, now);
    const text = `${counted(phase.calls.length, "call")} in ${seconds(to - from)}`;
    const title = `${name}: ${text}; all together ${seconds(worked)} at work, ${seconds(queued)} in the queue`;
    return el(
      "button",
      {
        type: "button",
        class: "lane",
        data: { key: `lane ${phase.name}` },
        onclick: () => this.onphase(phase.name),
        title,
      },
      el("span", { class: "lane-name text" }, name, el("span", { class: "lane-text" }, text)),
      el(
        "span",
        { class: "plot" },
        el("span", {
          class: "reach",
          style: { left: `${(from / extent) * 100}%`, width: `${((to - from) / extent) * 100}%` },
        }),
        svg(
          "svg",
          { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
          areas(density(phase.calls, extent, now), AT_WORK, most),
        ),
      ),
    );
  }
}

/** Stripes by which areas differ without colour. */
function patterns() {
  const pattern = (name) =>
    svg(
      "pattern",
      { id: `stripes-${name}`, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 7, height: 7, class: `stripe-${name}-ground` }),
      svg("rect", { width: 3, height: 7, class: `stripe-${name}` }),
    );
  return svg("svg", { class: "patterns", "aria-hidden": "true" }, svg("defs", {}, pattern("retry"), pattern("queued")));
}

function legend(calls) {
  const present = new Set(
    calls.flatMap((call) => spans(call, call.ended ?? 0).map((each) => LANE_OF[each.kind] ?? each.kind)),
  );
  return el(
    "ul",
    { class: "legend" },
    [...AT_WORK, ...IN_QUEUE, "reused"]
      .filter((each) => present.has(each))
      .map((each) => el("li", {}, el("span", { class: `swatch span-${each}`, "aria-hidden": "true" }), WORDS[each])),
  );
}
