// The workflow as it went: phases from left to right, and in each the calls that were made at once, fanned
// out and joined again.

import { el, refill, svg } from "../base/dom.js";
import { count, counted } from "../base/format.js";
import { nameOf } from "../base/model.js";
import { ORDER, repeats, STATUSES, statusOf } from "../base/states.js";

const MOST_WAVES = 4; // in a phase; what comes after is drawn as one
const MOST_DOTS = 8; // in a wave; of more calls, those of one status are drawn as one
const MOST_ALONE = 3; // of one status
const ROW = 26;
const WAVE = { least: 158, most: 250 };
const TOP = 52;
const MARGIN = 30;
const GAP = 14;
const LETTER = 6.5;

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
  const each = alone.map((wave) => ({ steps: 1, dots: dotsOf(wave) }));
  return rest.length === 0 ? each : [...each, { steps: rest.length, dots: dotsOf(rest.flat()) }];
}

/** The dots of a wave: `{status, call}` for one call, `{status, calls}` for many of one status. */
export function dotsOf(wave) {
  if (wave.length <= MOST_DOTS) return wave.map((call) => ({ status: statusOf(call), call }));
  const groups = ORDER.map((status) => ({ status, calls: wave.filter((call) => statusOf(call) === status) }));
  return groups.flatMap((group) => {
    if (group.calls.length > MOST_ALONE) return [group];
    return group.calls.map((call) => ({ status: group.status, call }));
  });
}

export class Graph {
  constructor(model, onopen, onstatus) {
    Object.assign(this, { model, onopen, onstatus });
    this.element = el("section", { class: "panel graph", "aria-labelledby": "graph-title" });
  }

  refresh() {
    const phases = this.model.phases();
    this.element.hidden = phases.length === 0;
    if (phases.length === 0) return;
    const columns = place(phases, this.model, this.element.clientWidth - 40);
    const height =
      TOP + 30 + ROW * Math.max(1, ...columns.flatMap((each) => each.waves.map((wave) => wave.dots.length)));
    const width = columns.at(-1).to + 44;
    const middle = TOP + 8 + (height - TOP - 18) / 2;
    const drawing = svg(
      "svg",
      { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Graph of the workflow" },
      columns.map((each) => band(each, height, columns.length === 1)),
      this.flow(columns, middle, width),
    );
    refill(
      this.element,
      el(
        "div",
        { class: "panel-head" },
        el("h2", { id: "graph-title" }, "Workflow"),
        el("span", { class: "quiet" }, "what was called at once stands one below the other"),
      ),
      el(
        "div",
        { class: "scroller", tabindex: "0", role: "region", "aria-label": "Graph of the workflow, scrolls sideways" },
        drawing,
      ),
    );
  }

  flow(columns, middle, width) {
    const found = [svg("circle", { class: "end", cx: 14, cy: middle, r: 5 })];
    let from = 19;
    for (const column of columns) {
      for (const wave of column.waves) {
        found.push(...this.wave(wave, from, middle));
        from = wave.x + wave.width - 12;
      }
      if (column.waves.length === 0) {
        // nothing is known of it
        found.push(svg("path", { class: "edge not-reached", d: `M${from} ${middle}H${column.to}` }));
        from = column.to;
      }
    }
    return [
      ...found,
      svg("path", {
        class: columns.at(-1).phase.calls.length > 0 ? "edge" : "edge not-reached",
        d: `M${from} ${middle}H${width - 22}`,
      }),
      svg("rect", { class: "end", x: width - 22, y: middle - 5, width: 10, height: 10, rx: 2 }),
    ];
  }

  wave(wave, from, middle) {
    const entry = wave.x + 6;
    const join = wave.x + wave.width - 12;
    const first = middle - ((wave.dots.length - 1) * ROW) / 2;
    const most = Math.floor((join - entry - 62) / LETTER);
    const found = [
      svg("path", { class: wave.isPlanned ? "edge not-reached" : "edge", d: `M${from} ${middle}H${entry}` }),
    ];
    if (wave.steps > 1)
      found.push(
        svg("text", { class: "band-text", x: entry + 6, y: first - 16 }, `${count(wave.steps)} further steps`),
      );
    wave.dots.forEach((dot, index) =>
      found.push(...this.dot(dot, { entry, join, middle, most, y: first + index * ROW })),
    );
    return found;
  }

  dot(dot, { entry, join, middle, most, y }) {
    if (dot.status === "planned") return plannedDot(dot, { entry, join, middle, most, y });
    const { glyph, word } = STATUSES[dot.status];
    const many = dot.calls?.length;
    const name = many ? `${count(many)} ${word}` : nameOf(dot.call);
    const title = many
      ? `${counted(many, "call")} ${word}`
      : `${name}: ${word}${repeats(dot.call) ? `, repeated ${repeats(dot.call)}×` : ""}`;
    const open = () => (many ? this.onstatus(dot.status) : this.onopen(dot.call.id));
    const onkeydown = (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        open();
      }
    };
    const x = entry + 28;
    const text = short(name, most);
    const thick = { "stroke-width": many ? Math.min(5, 1.3 + Math.log10(many)).toFixed(1) : null };
    return [
      svg("path", { class: "edge", ...thick, d: curve(entry, middle, x - 8, y) }),
      svg("path", { class: "edge", ...thick, d: curve(join, middle, x + 18 + [...text].length * LETTER, y) }),
      svg(
        "g",
        {
          class: `dot status-${dot.status}`,
          tabindex: "0",
          role: "button",
          "aria-label": title,
          data: { key: many ? `dots ${entry} ${dot.status}` : `dot ${dot.call.id}` },
          onclick: open,
          onkeydown,
        },
        svg("title", {}, title),
        many ? svg("circle", { class: "behind", cx: x + 3, cy: y + 2.5, r: 8 }) : null,
        svg("circle", { cx: x, cy: y, r: 8 }),
        svg("text", { class: "dot-glyph", x, y: y + 3.5 }, glyph),
        svg("text", { class: "dot-label", x: x + 14, y: y + 4 }, text),
      ),
    ];
  }
}

/** What the outline has for a phase that has not begun, as a wave. */
function planned(entries) {
  if (entries.length === 0) return [];
  const dots = entries
    .slice(0, MOST_DOTS)
    .map((entry) => ({ status: "planned", name: entry.label ?? entry.ref ?? entry.kind }));
  return [{ steps: 1, isPlanned: true, dots }];
}

function plannedDot(dot, { entry, join, middle, most, y }) {
  const x = entry + 28;
  const text = short(String(dot.name).replaceAll("${…}", "…"), most);
  return [
    svg("path", { class: "edge not-reached", d: curve(entry, middle, x - 8, y) }),
    svg("path", { class: "edge not-reached", d: curve(join, middle, x + 18 + [...text].length * LETTER, y) }),
    svg(
      "g",
      { class: "dot-planned" },
      svg("title", {}, `${dot.name}: not called yet`),
      svg("circle", { cx: x, cy: y, r: 8 }),
      svg("text", { class: "dot-label", x: x + 14, y: y + 4 }, text),
    ),
  ];
}

function short(name, most) {
  const letters = [...name.slice(0, 200)];
  return letters.length <= most ? name : `${letters.slice(0, Math.max(1, most - 1)).join("")}…`;
}

function curve(x1, y1, x2, y2) {
  const middle = (x1 + x2) / 2;
  return `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
}

/** Columns side by side, as wide as there is room for, within bounds. */
function place(phases, model, room) {
  const all = phases.map((phase) => ({
    phase,
    waves: phase.calls.length > 0 ? waves(phase.calls) : planned(model.notCalled(phase.name)),
  }));
  const number = all.reduce((sum, each) => sum + Math.max(1, each.waves.length), 0);
  const each = (room - MARGIN - 44 - GAP * phases.length) / number;
  const width = Math.round(Math.min(WAVE.most, Math.max(WAVE.least, each)));
  let x = MARGIN;
  return all.map(({ phase, waves: found }) => {
    const column = {
      phase,
      from: x,
      to: x + width * Math.max(1, found.length),
      waves: found.map((wave, index) => ({ ...wave, width, x: x + index * width })),
    };
    x = column.to + GAP;
    return column;
  });
}

function band({ phase, from, to }, height, isAlone) {
  const name = phase.name || (isAlone ? "Calls" : "no phase");
  return svg(
    "g",
    { class: `band ${phase.calls.length === 0 ? "not-reached" : ""}` },
    svg("title", {}, phase.detail ? `${name}: ${phase.detail}` : name),
    svg("rect", { x: from, y: 0.5, width: to - from, height: height - 1, rx: 8 }),
    svg("text", { class: "band-title", x: from + 12, y: 21 }, short(name, Math.floor((to - from - 20) / 7.4))),
    svg(
      "text",
      { class: "band-text", x: from + 12, y: 37 },
      phase.calls.length === 0 ? "not reached" : counted(phase.calls.length, "call"),
    ),
  );
}
