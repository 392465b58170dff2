// What was spent, by phase, by model and by label.

import { el, refill } from "../base/dom.js";
import { count, dollars, seconds, tokens } from "../base/format.js";

const TABLES = [
  ["byPhase", "By phase", "Phase"],
  ["byModel", "By model", "Model"],
  ["byLabel", "By label", "Label"],
];
const MOST_ROWS = 12;

export class UsageTables {
  constructor(model) {
    this.model = model;
    this.element = el("section", { class: "panel usage", "aria-labelledby": "usage-title" });
  }

  refresh() {
    const tables = TABLES.filter(([key]) => this.model.totals[key]?.length > 0);
    this.element.hidden = tables.length === 0;
    refill(
      this.element,
      el("div", { class: "panel-head" }, el("h2", { id: "usage-title" }, "Usage and cost")),
      el(
        "div",
        { class: "tables" },
        tables.map(([key, title, noun]) => table(this.model.totals[key], title, noun)),
      ),
    );
  }
}

function table(rows, title, noun) {
  const byCost = rows.some((each) => each.costUsd > 0);
  const weight = (row) => (byCost ? row.costUsd : row.tokens) ?? 0;
  const sorted = noun === "Phase" ? rows : [...rows].sort((one, other) => weight(other) - weight(one));
  const shownRows = sorted.slice(0, MOST_ROWS);
  const rest = sorted.slice(MOST_ROWS);
  const most = Math.max(...rows.map(weight), 1e-12);
  const figures = (row) => [
    count(row.calls),
    row.failed ? `✕ ${count(row.failed)}` : "–",
    tokens(row.tokens),
    dollars(row.costUsd),
    row.seconds === undefined ? "–" : seconds(row.seconds),
  ];
  return el(
    "div",
    { class: "table-scroller" },
    el(
      "table",
      {},
      el("caption", {}, title),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          [noun, "Calls", "Failed", "Tokens", "Cost", "At work"].map((each) => el("th", { scope: "col" }, each)),
        ),
      ),
      el(
        "tbody",
        {},
        shownRows.map((row) =>
          el(
            "tr",
            {},
            el(
              "th",
              { scope: "row" },
              el("span", { class: "text row-name" }, row.name || "not told"),
              el("span", { class: "share", "aria-hidden": "true", style: { width: `${(weight(row) / most) * 100}%` } }),
            ),
            figures(row).map((each, index) => el("td", { class: index === 1 && row.failed ? "tone-bad" : "" }, each)),
          ),
        ),
        rest.length
          ? el(
              "tr",
              { class: "rest" },
              el("th", { scope: "row" }, `${rest.length} more`),
              figures(summed(rest)).map((each) => el("td", {}, each)),
            )
          : null,
      ),
    ),
  );
}

function summed(rows) {
  const names = ["calls", "failed", "tokens", "costUsd", "seconds"];
  return Object.fromEntries(names.map((name) => [name, rows.reduce((sum, row) => sum + (row[name] ?? 0), 0)]));
}
