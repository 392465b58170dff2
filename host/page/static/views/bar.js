// The bar above every view: which run it is, how it stands, and the tabs.

import { button, el, refill, shown, svg } from "../base/dom.js";
import { count } from "../base/format.js";
import { badge } from "./head.js";

export class Bar {
  constructor(model, { names, home, theme, onshow, onkeys }) {
    Object.assign(this, { model, names, onshow });
    this.tabs = new Map(names.map((name) => [name, this.tab(name)]));
    this.name = el("h1", { class: "bar-name text" });
    this.verdict = el("span", { class: "bar-verdict" });
    this.element = el(
      "header",
      { class: "bar" },
      home
        ? el("a", { class: "home", href: home.href }, mark(), home.label)
        : el("span", { class: "home" }, mark(), el("span", { class: "brand" }, "flowcage")),
      this.name,
      this.verdict,
      el("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, [...this.tabs.values()]),
      el(
        "div",
        { class: "bar-end" },
        theme,
        button("?", onkeys, { class: "icon", "aria-label": "Keys", title: "Keys (?)" }),
      ),
    );
  }

  tab(name) {
    return el("button", {
      type: "button",
      role: "tab",
      id: `tab-${name}`,
      "aria-controls": `view-${name}`,
      onclick: () => this.onshow(name),
      onkeydown: (event) => this.move(event, name),
    });
  }

  refresh() {
    const { run, calls, logs, events } = this.model;
    const name = run.name || run.sourceName || run.id || "run";
    refill(this.name, name);
    refill(this.verdict, badge(run));
    const counts = { calls: calls.size, log: logs.length + events.filter((each) => each.type !== "log").length };
    for (const [each, tab] of this.tabs) {
      const word = each.charAt(0).toUpperCase() + each.slice(1);
      refill(tab, word, counts[each] === undefined ? null : el("span", { class: "tab-count" }, count(counts[each])));
    }
    globalThis.document.title = `${shown(name)} · flowcage`;
  }

  select(name) {
    for (const [each, tab] of this.tabs) {
      tab.setAttribute("aria-selected", String(each === name));
      tab.tabIndex = each === name ? 0 : -1;
    }
  }

  move(event, name) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = this.names[(this.names.indexOf(name) + by + this.names.length) % this.names.length];
    this.onshow(next);
    this.tabs.get(next).focus();
  }
}

/** A cage, and something that flows through it. */
function mark() {
  return svg(
    "svg",
    { class: "mark", viewBox: "0 0 20 20", "aria-hidden": "true" },
    svg("path", { class: "mark-bars", d: "M4 3v14M10 3v14M16 3v14" }),
    svg("path", { class: "mark-flow", d: "M1 12c3-5 6-5 9-2s6 3 9-2" }),
  );
}
