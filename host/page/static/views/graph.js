// The workflow as it went: phases from left to right, and in each the calls that were made at once, fanned
// out and joined again.

import { el, refill, svg } from "../base/dom.js";
import { counted } from "../base/format.js";
import { nameOf } from "../base/model.js";
import { ORDER, repeats, STATUSES, statusOf } from "../base/states.js";

const MOST_WAVES = 4; // in a phase; what comes after is drawn as one
const MOST_DOTS = 8; // in a wave
const ROW = 26;
const WAVE = 158;
const TOP = 52;

/** The calls of a phase in waves, each of one or more steps: what a workflow makes in one step, it makes at once. */
export function waves(calls) {
  const found = new Map();
  for (const call of calls) {
    const key = `${call.path} ${call.asked}`;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(call);
  }
  const all = [...found.values()];
  const alone = all.length <= MOST_WAVES ? all : all.slice(0, MOST_WAVES - 1);
  const rest = all.slice(alone.length);
  const each = alone.map((wave) => ({ calls: wave, steps: 1 }));
  return rest.length === 0 ? each : [...each, { calls: rest.flat(), steps: rest.length }];
}

/** The dots of a wave: all its calls, or the worst ones and how many more there are. */
export function dotsOf(wave) {
  if (wave.length <= MOST_DOTS) return { dots: wave, more: 0 };
  const worst = [...wave].sort((one, other) => ORDER.indexOf(statusOf(one)) - ORDER.indexOf(statusOf(other)));
  return { dots: worst.slice(0, MOST_DOTS - 1), more: wave.length - MOST_DOTS + 1 };
}

export class Graph {
  constructor(model, onopen) {
    this.model = model;
    this.onopen = onopen;
    this.element = el("section", { class: "panel graph", "aria-labelledby": "graph-title" });
  }

  refresh() {
    const phases = this.model.phases();
    this.element.hidden = phases.length === 0;
    if (phases.length === 0) return;
    const columns = place(phases);
    const height = TOP + 30 + ROW * Math.max(1, ...columns.flatMap((each) => each.waves.map((wave) => wave.dots.length + (wave.more ? 1 : 0))));
    const width = columns.at(-1).to + 44;
    const middle = TOP + 8 + (height - TOP - 18) / 2;
    const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Graph of the workflow" },
      columns.map((each) => band(each, height)), this.flow(columns, middle, width));
    refill(this.element,
      el("div", { class: "panel-head" }, el("h2", { id: "graph-title" }, "Workflow"), el("span", { class: "quiet" }, "calls that were made at once stand one below the other")),
      el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Graph of the workflow, scrolls sideways" }, drawing));
  }

  flow(columns, middle, width) {
    const found = [svg("circle", { class: "end", cx: 14, cy: middle, r: 5 })];
    let from = 19;
    for (const column of columns) {
      for (const wave of column.waves) {
        const join = wave.x + wave.width - 12;
        const entry = wave.x + 6;
        found.push(svg("path", { class: "edge", d: `M${from} ${middle}H${entry}` }));
        const rows = wave.dots.length + (wave.more ? 1 : 0);
        const first = middle - ((rows - 1) * ROW) / 2;
        wave.dots.forEach((call, index) => found.push(...this.dot(call, { wave, entry, join, middle, y: first + index * ROW })));
        if (wave.steps > 1) found.push(svg("text", { class: "band-text", x: entry + 6, y: first - 16 }, `${wave.steps} further steps`));
        if (wave.more) found.push(...more(wave, { entry, join, middle, y: first + wave.dots.length * ROW }));
        from = join;
      }
      if (column.waves.length === 0) {
        found.push(svg("path", { class: "edge not-reached", d: `M${from} ${middle}H${column.to}` }));
        from = column.to;
      }
    }
    found.push(svg("path", { class: "edge", d: `M${from} ${middle}H${width - 22}` }), svg("rect", { class: "end", x: width - 22, y: middle - 5, width: 10, height: 10, rx: 2 }));
    return found;
  }

  dot(call, { wave, entry, join, middle, y }) {
    const status = statusOf(call);
    const name = nameOf(call);
    const x = entry + 28;
    const title = `${name}: ${STATUSES[status].word}${repeats(call) ? `, repeated ${repeats(call)}×` : ""}`;
    const open = () => this.onopen(call.id);
    const onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } };
    return [
      svg("path", { class: "edge", d: curve(entry, middle, x - 8, y) }),
      svg("path", { class: "edge", d: curve(join, middle, x + 8 + labelWidth(name), y) }),
      svg("g", { class: `dot status-${status}`, tabindex: "0", role: "button", "aria-label": title, onclick: open, onkeydown },
        svg("title", {}, title),
        svg("circle", { cx: x, cy: y, r: 8 }),
        svg("text", { class: "dot-glyph", x, y: y + 3.5 }, STATUSES[status].glyph),
        svg("text", { class: "dot-label", x: x + 13, y: y + 4 }, short(name))),
    ];
  }
}

const CHARACTERS = 14;
function short(name) {
  const letters = [...name];
  return letters.length <= CHARACTERS ? name : `${letters.slice(0, CHARACTERS - 1).join("")}…`;
}

function labelWidth(name) {
  return Math.min(CHARACTERS, [...name].length) * 6.4 + 8;
}

function curve(x1, y1, x2, y2) {
  const middle = (x1 + x2) / 2;
  return `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
}

function more(wave, { entry, join, middle, y }) {
  const text = `+ ${wave.more} more`;
  return [
    svg("path", { class: "edge", d: curve(entry, middle, entry + 20, y) }),
    svg("path", { class: "edge", d: curve(join, middle, entry + 24 + text.length * 6.6, y) }),
    svg("text", { class: "dot-label more", x: entry + 22, y: y + 4 }, text),
  ];
}

function place(phases) {
  let x = 30;
  return phases.map((phase) => {
    const from = x;
    const found = waves(phase.calls).map(({ calls, steps }) => {
      const wave = { x, width: WAVE, steps, ...dotsOf(calls) };
      x += wave.width;
      return wave;
    });
    x = Math.max(x, from + 130);
    const column = { phase, from, to: x, waves: found };
    x += 14;
    return column;
  });
}

function band({ phase, from, to, waves: found }, height) {
  const name = phase.name || "no phase";
  const most = Math.floor((to - from - 20) / 7.4);
  const title = [...name].length > most ? `${[...name].slice(0, most - 1).join("")}…` : name;
  return svg("g", { class: `band ${found.length === 0 ? "not-reached" : ""}` },
    svg("title", {}, name),
    svg("rect", { x: from, y: 0.5, width: to - from, height: height - 1, rx: 8 }),
    svg("text", { class: "band-title", x: from + 12, y: 21 }, title),
    svg("text", { class: "band-text", x: from + 12, y: 37 }, found.length === 0 ? "not reached" : counted(phase.calls.length, "call")));
}
