// Log lines and events in the order in which they came.

import { el, refill, setText } from "../base/dom.js";
import { count, counted, seconds } from "../base/format.js";
import { VirtualList } from "../base/virtual.js";
import { textBlock } from "./texts.js";

export class Events {
  constructor(model) {
    this.model = model;
    this.only = "all";
    this.words = [];
    this.search = el("input", { type: "search", class: "search", placeholder: "Search the log", "aria-label": "Search the log", oninput: () => { this.words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean); this.refresh(); } });
    this.choice = el("div", { class: "chips", role: "group", "aria-label": "Show" });
    this.found = el("span", { class: "quiet found", role: "status" });
    this.list = new VirtualList({ label: "Log and events", class: "events", make, fill, onselect: (item) => this.open(item) });
    this.opened = el("div", { class: "opened", hidden: true });
    this.none = el("p", { class: "empty" }, "Nothing was logged.");
    this.element = el("div", { class: "view view-events" }, el("div", { class: "toolbar" }, this.search, this.choice, this.found), this.list.element, this.none, this.opened);
  }

  refresh() {
    const { logs, events, left } = this.model;
    const told = events.filter((each) => each.type !== "log").map((each) => ({ ...each, kind: each.type }));
    const lines = logs.map((each) => ({ ...each, kind: "log", type: "log" }));
    const all = { all: [...lines, ...told].sort((one, other) => one.at - other.at), log: lines, events: told }[this.only];
    const rows = this.words.length === 0 ? all : all.filter((each) => this.words.every((word) => `${each.type} ${each.text}`.toLowerCase().includes(word)));
    refill(this.choice, [["all", "everything", lines.length + told.length], ["log", "log lines", lines.length], ["events", "events", told.length]].map(([key, word, number]) =>
      el("button", { type: "button", class: "chip", "aria-pressed": String(this.only === key), onclick: () => { this.only = key; this.refresh(); } }, word, el("span", { class: "chip-count" }, count(number)))));
    const leftOut = [left.logs ? counted(left.logs, "log line") : null, left.events ? counted(left.events, "event") : null].filter(Boolean);
    setText(this.found, [this.words.length ? `${count(rows.length)} found` : null, leftOut.length ? `${leftOut.join(" and ")} left out` : null].filter(Boolean).join(" · "));
    this.none.hidden = rows.length > 0;
    this.list.element.hidden = rows.length === 0;
    this.list.set(rows);
  }

  open(item) {
    this.opened.hidden = false;
    refill(this.opened, textBlock(`${item.type}, ${seconds(item.at)}`, String(item.text)));
  }

  close() {
    const wasOpen = !this.opened.hidden;
    this.opened.hidden = true;
    return wasOpen;
  }
}

function make() {
  const cells = ["at", "type", "text"].map((name) => el("span", { class: `cell cell-${name} ${name === "at" ? "" : "text"}`, role: "gridcell" }));
  return Object.assign(el("div", { class: "row", role: "row" }, cells), { cells });
}

function fill(row, item) {
  const [at, type, text] = row.cells;
  setText(at, seconds(item.at));
  setText(type, item.type.replaceAll("_", " "));
  setText(text, `${item.path ? `${item.path}: ` : ""}${String(item.text).slice(0, 400).replaceAll("\n", " ⏎ ")}`);
  row.classList.toggle("is-log", item.kind === "log");
}
