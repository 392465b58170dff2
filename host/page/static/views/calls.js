// The calls over time: a row each, by phase, with its bar; search and filter above.

import { el, refill, setText } from "../base/dom.js";
import { count, counted, dollars, seconds, tokens } from "../base/format.js";
import { nameOf, rowsOf, SORTS } from "../base/model.js";
import { kindOf, repeats, spans, STATUSES, statusOf, workedSeconds, workedTogether } from "../base/states.js";
import { VirtualList } from "../base/virtual.js";
import { reach } from "./chart.js";
import { Ruler } from "./ruler.js";

const SORT_WORDS = { time: "by time", duration: "longest first", tokens: "most tokens first", cost: "dearest first" };

export class Calls {
  constructor(model, onopen) {
    this.model = model;
    this.filter = { words: [], statuses: new Set(), sort: "time", closed: new Set() };
    this.key = null;
    this.search = el("input", {
      type: "search",
      class: "search",
      placeholder: "Search calls",
      "aria-label": "Search calls",
      "aria-keyshortcuts": "/",
      oninput: () => this.searchFor(this.search.value),
      spellcheck: "false",
      autocomplete: "off",
    });
    this.chips = el("div", { class: "chips", role: "group", "aria-label": "Show calls that are" });
    this.found = el("span", { class: "quiet found", role: "status" });
    this.sort = el(
      "select",
      {
        class: "sort",
        "aria-label": "Order",
        onchange: () => {
          this.filter.sort = this.sort.value;
          this.refresh();
        },
      },
      SORTS.map((each) => el("option", { value: each }, SORT_WORDS[each])),
    );
    this.list = new VirtualList({
      label: "Calls",
      class: "calls",
      role: "treegrid",
      make,
      fill: (row, item) => this.fill(row, item),
      isSelectable: () => true,
      onselect: (item) => {
        this.key = keyOf(item);
        if (item.call) onopen(item.call.id, false);
      },
      onopen: (item) => (item.phase ? this.toggle(item.phase.name) : onopen(item.call.id, true)),
    });
    this.ruler = new Ruler((range) => this.choose(range));
    this.chosen = null;
    this.none = el("p", { class: "empty", hidden: true });
    this.list.element.prepend(this.ruler.element);
    this.element = el(
      "div",
      { class: "view view-calls" },
      el("div", { class: "toolbar" }, this.search, this.chips, this.ruler.whole, this.sort, this.found),
      this.list.element,
      this.none,
    );
  }

  refresh() {
    const { model, filter } = this;
    this.range = this.chosen ?? { from: 0, to: model.extent };
    this.now = model.now;
    const rows = rowsOf(model, filter);
    const calls = rows.filter((each) => each.call).length;
    this.hasPhases = calls < rows.length;
    this.tellFound(rows, calls);
    this.list.element.classList.toggle("is-part", this.chosen !== null);
    this.ruler.refresh(this.range, this.chosen !== null);
    this.fillChips();
    this.list.set(rows, this.key === null ? -1 : rows.findIndex((each) => keyOf(each) === this.key));
  }

  tellFound(rows, calls) {
    const isFiltered = this.filter.words.length > 0 || this.filter.statuses.size > 0;
    setText(this.found, isFiltered ? `${count(calls)} of ${counted(this.model.calls.size, "call")}` : "");
    this.none.hidden = rows.length > 0;
    this.list.element.hidden = rows.length === 0;
    setText(this.none, this.model.calls.size === 0 ? "This run has made no calls." : "No call is like that.");
  }

  fillChips() {
    const { counts, repeated } = this.model.statuses();
    const all = [...counts, ["repeated", repeated]].filter(
      ([name, number]) => number > 0 || this.filter.statuses.has(name),
    );
    const focused = this.chips.contains(globalThis.document.activeElement)
      ? globalThis.document.activeElement.dataset.status
      : null;
    refill(
      this.chips,
      all.map(([name, number]) => {
        const { glyph, word } = STATUSES[name] ?? { glyph: "↻", word: "repeated" };
        return el(
          "button",
          {
            type: "button",
            class: `chip status-${name}`,
            "aria-pressed": String(this.filter.statuses.has(name)),
            data: { status: name },
            onclick: () => this.toggleStatus(name),
          },
          el("span", { class: "glyph", "aria-hidden": "true" }, glyph),
          word,
          el("span", { class: "chip-count" }, count(number)),
        );
      }),
    );
    if (focused !== null) this.chips.querySelector(`[data-status="${focused}"]`)?.focus();
  }

  fill(row, item) {
    row.classList.toggle("phase-row", item.phase !== undefined);
    row.setAttribute("aria-level", item.phase || !this.hasPhases ? "1" : "2");
    if (item.phase) this.fillPhase(row, item.phase);
    else this.fillCall(row, item.call);
  }

  fillPhase(row, phase) {
    const { cells, bar } = row;
    const isClosed = this.filter.closed.has(phase.name);
    setText(cells.glyph, isClosed ? "▸" : "▾");
    cells.glyph.className = "cell glyph";
    setText(cells.name, phase.name || "no phase");
    setText(cells.extra, phase.calls.length === 0 ? "not reached" : counted(phase.calls.length, "call"));
    row.setAttribute("aria-expanded", String(!isClosed));
    row.removeAttribute("title");
    const sum = (read) => phase.calls.reduce((total, call) => total + (read(call) ?? 0), 0);
    setText(cells.model, "");
    setText(cells.tokens, tokens(sum((call) => call.tokens)));
    setText(cells.cost, dollars(sum((call) => call.costUsd)));
    setText(cells.time, seconds(workedTogether(phase.calls, this.now)));
    refill(bar, phase.calls.length === 0 ? null : this.reach(phase.calls));
  }

  reach(calls) {
    const { from, to } = reach(calls, this.now);
    return el("span", {
      class: "span-reach",
      style: { left: this.percent(from - this.range.from), width: this.percent(to - from) },
    });
  }

  percent(length) {
    return `${((length / (this.range.to - this.range.from)) * 100).toFixed(3)}%`;
  }

  /** Show a part of the time, or all of it. */
  choose(range) {
    this.chosen = range;
    this.refresh();
  }

  /** Show the time of the phase or call that is selected. */
  chooseSelected() {
    const item = this.list.items[this.list.selected];
    if (item === undefined) return;
    const { from, to } = reach(item.call ? [item.call] : item.phase.calls, this.now);
    const margin = Math.max((to - from) * 0.05, 0.001);
    if (Number.isFinite(from)) this.choose({ from: Math.max(0, from - margin), to: to + margin });
  }

  /** Show all of the time again; returns whether it was a part. */
  close() {
    const wasPart = this.chosen !== null;
    if (wasPart) this.choose(null);
    return wasPart;
  }

  fillCall(row, call) {
    const { cells, bar } = row;
    const status = statusOf(call);
    const again = repeats(call);
    setText(cells.glyph, STATUSES[status].glyph);
    cells.glyph.className = `cell glyph status-${status}`;
    cells.glyph.setAttribute("aria-label", STATUSES[status].word);
    setText(cells.name, nameOf(call).slice(0, 300));
    const below = call.path ? `↳ ${this.model.nameOfWorkflow(call.path)}` : "";
    setText(
      cells.extra,
      [call.kind !== "agent" && (call.label || call.prompt) ? kindOf(call) : "", again ? `↻ ${again}` : "", below]
        .filter(Boolean)
        .join(" · ")
        .slice(0, 200),
    );
    row.removeAttribute("aria-expanded");
    setText(cells.model, (call.model ?? "").slice(0, 120));
    setText(cells.tokens, call.tokens ? tokens(call.tokens) : "–");
    setText(cells.cost, call.costUsd ? dollars(call.costUsd) : "–");
    setText(cells.time, call.reused ? "reused" : seconds(workedSeconds(call, this.now)));
    this.drawBar(bar, call);
  }

  drawBar(bar, call) {
    const found = spans(call, this.now);
    while (bar.childElementCount > found.length) bar.lastElementChild.remove();
    while (bar.childElementCount < found.length) bar.append(el("span"));
    found.forEach((span, index) => {
      const element = bar.children[index];
      element.className = `span span-${span.kind}${span.isOpen ? " is-open" : ""}`;
      element.style.left = this.percent(span.from - this.range.from);
      element.style.width = this.percent(span.to - span.from);
    });
  }

  searchFor(text) {
    this.filter.words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (this.search.value !== text) this.search.value = text;
    this.refresh();
    this.list.element.scrollTop = 0;
    this.list.draw();
  }

  toggleStatus(name) {
    const { statuses } = this.filter;
    if (!statuses.delete(name)) statuses.add(name);
    this.refresh();
  }

  toggle(name) {
    const { closed } = this.filter;
    if (!closed.delete(name)) closed.add(name);
    this.refresh();
  }

  /** Bring a call into sight; the filter is dropped if it hides the call. */
  show(id) {
    const at = () => this.list.items.findIndex((each) => each.call?.id === id);
    if (at() < 0) {
      this.filter = { ...this.filter, words: [], statuses: new Set(), closed: new Set() };
      this.search.value = "";
      this.refresh();
    }
    this.key = `call ${id}`;
    this.list.selected = at();
    if (this.list.selected >= 0) this.list.reveal(this.list.selected);
    this.list.draw(true);
  }

  showStatus(name) {
    this.filter = { ...this.filter, words: [], statuses: new Set([name]) };
    this.search.value = "";
    this.refresh();
  }

  showPhase(name) {
    this.filter = { ...this.filter, sort: "time" };
    this.sort.value = "time";
    this.refresh();
    const index = this.list.items.findIndex((each) => each.phase?.name === name);
    if (index >= 0) this.list.element.scrollTop = index * this.list.rowHeight;
    this.list.draw();
  }
}

function keyOf(item) {
  return item.call ? `call ${item.call.id}` : `phase ${item.phase.name}`;
}

function make() {
  const cell = (name) => el("span", { class: `cell cell-${name}`, role: "gridcell" });
  const cells = {
    glyph: cell("glyph"),
    model: cell("model"),
    tokens: cell("tokens"),
    cost: cell("cost"),
    time: cell("time"),
    name: el("span", { class: "name text" }),
    extra: el("span", { class: "extra text" }),
  };
  const bar = el("span", { class: "plot", role: "presentation" });
  const row = el(
    "div",
    { class: "row", role: "row" },
    cells.glyph,
    el("span", { class: "cell cell-name", role: "gridcell" }, cells.name, cells.extra),
    cells.model,
    cells.tokens,
    cells.cost,
    cells.time,
    el("span", { class: "cell cell-bar", role: "gridcell" }, bar),
  );
  return Object.assign(row, { cells, bar });
}
