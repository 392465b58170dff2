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
    this.search = el("input", {
      type: "search",
      class: "search",
      placeholder: "Search the log",
      "aria-label": "Search the log",
      oninput: () => {
        this.words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
        this.refresh();
      },
    });
    this.choice = el("div", { class: "chips", role: "group", "aria-label": "Show" });
    this.found = el("span", { class: "quiet found", role: "status" });
    this.list = new VirtualList({
      label: "Log and events",
      follows: true,
      class: "events",
      make,
      fill,
      onselect: (item) => this.open(item),
    });
    this.opened = el("div", { class: "opened", hidden: true });
    this.none = el("p", { class: "empty" }, "Nothing was logged.");
    this.element = el(
      "div",
      { class: "view view-events" },
      el("div", { class: "toolbar" }, this.search, this.choice, this.found),
      this.list.element,
      this.none,
      this.opened,
    );
  }

  refresh() {
    const { all, log, events } = this.gathered();
    const rows = { all, log, events }[this.only].filter((each) => this.hasWords(each));
    this.fillChoice({ all: all.length, log: log.length, events: events.length });
    const found = this.words.length > 0 ? `${count(rows.length)} found` : null;
    setText(this.found, [found, leftOut(this.model.left)].filter(Boolean).join(" · "));
    this.none.hidden = rows.length > 0;
    this.list.element.hidden = rows.length === 0;
    this.list.set(rows);
  }

  /** Lines and events, each alone and in one order; made anew when there are others. */
  gathered() {
    const { logs, events } = this.model;
    if (this.made?.logs !== logs || this.made.events !== events) {
      const lists = {
        log: logs.map((each) => ({ ...each, type: "log" })),
        events: events.filter((each) => each.type !== "log"),
      };
      const all = [...lists.log, ...lists.events].sort((one, other) => one.at - other.at || one.seq - other.seq);
      this.made = { logs, events, lists: { ...lists, all } };
    }
    return this.made.lists;
  }

  hasWords({ type, text }) {
    if (this.words.length === 0) return true;
    const told = `${type} ${text}`.toLowerCase();
    return this.words.every((word) => told.includes(word));
  }

  fillChoice(counts) {
    const words = { all: "everything", log: "log lines", events: "events" };
    const chip = ([key, word]) =>
      el(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-pressed": String(this.only === key),
          data: { key: `show ${key}` },
          onclick: () => this.choose(key),
        },
        word,
        el("span", { class: "chip-count" }, count(counts[key])),
      );
    refill(this.choice, Object.entries(words).map(chip));
  }

  choose(key) {
    this.only = key;
    this.refresh();
    this.choice.querySelector(`[data-key="show ${key}"]`).focus();
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
  const cells = ["at", "type", "text"].map((name) =>
    el("span", { class: `cell cell-${name} ${name === "at" ? "" : "text"}`, role: "gridcell" }),
  );
  return Object.assign(el("div", { class: "row", role: "row" }, cells), { cells });
}

function fill(row, item) {
  const [at, type, text] = row.cells;
  setText(at, seconds(item.at));
  setText(type, item.type.replaceAll("_", " "));
  setText(text, `${item.path ? `${item.path}: ` : ""}${String(item.text).slice(0, 400).replaceAll("\n", " ⏎ ")}`);
  row.classList.toggle("is-log", item.type === "log");
}

function leftOut({ logs, events }) {
  const words = [logs ? counted(logs, "log line") : null, events ? counted(events, "event") : null].filter(Boolean);
  return words.length > 0 ? `the first ${words.join(" and ")} left out` : null;
}
