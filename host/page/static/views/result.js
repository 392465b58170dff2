// What came of the run: its result or its error, what it was given, and what was noted about it.

import { button, el, refill } from "../base/dom.js";
import { count } from "../base/format.js";
import { nameOf } from "../base/model.js";
import { isGoingOn, STATUSES, statusOf } from "../base/states.js";
import { oneLine, textBlock, valueText } from "./texts.js";

const MOST_LINKS = 6;
const MOST_NOTES = 20;

/** The part of the overview below the head: an error, what failed, what it waits for, the beginning of the result. */
export class Ending {
  constructor(model, go) {
    Object.assign(this, { model, go });
    this.element = el("div", { class: "ending" });
  }

  refresh() {
    const { run } = this.model;
    const calls = [...this.model.calls.values()];
    refill(
      this.element,
      run.error
        ? el(
            "section",
            { class: "panel error-panel" },
            textBlock("Error", errorText(run.error), { className: "bad", heading: "h2" }),
            this.place(this.model.errorPlace()),
          )
        : null,
      this.links(
        "Failed",
        calls.filter((each) => each.state === "failed" || each.state === "refused"),
        (call) => call.error,
      ),
      isGoingOn(run)
        ? this.links(
            "Waits for",
            calls.filter((each) => each.state === "open"),
            (call) => call.prompt,
          )
        : null,
      this.result(run),
      this.diagnostics(run.diagnostics),
    );
  }

  place(place) {
    if (place === null) return null;
    return button(`Line ${place.line} of the script`, () => this.go.line(place.path, place.line), { class: "link" });
  }

  links(title, calls, text) {
    if (calls.length === 0) return null;
    const rest = calls.length - MOST_LINKS;
    return el(
      "section",
      { class: "panel links" },
      el("h2", {}, title),
      el(
        "ul",
        {},
        calls.slice(0, MOST_LINKS).map((call) =>
          el(
            "li",
            {},
            el(
              "button",
              {
                type: "button",
                class: "call-link",
                data: { key: `link ${call.id}` },
                onclick: () => this.go.open(call.id),
              },
              el(
                "span",
                { class: `glyph status-${statusOf(call)}`, "aria-hidden": "true" },
                STATUSES[statusOf(call)].glyph,
              ),
              el("span", { class: "name text" }, nameOf(call).slice(0, 200)),
              el("span", { class: "why text" }, oneLine(text(call), 300)),
            ),
          ),
        ),
      ),
      rest > 0 ? button(`${count(rest)} more`, () => this.go.status(statusOf(calls[0])), { class: "link" }) : null,
    );
  }

  diagnostics(all) {
    if (!all?.length) return null;
    const rest = all.length - MOST_NOTES;
    return el(
      "section",
      { class: "panel diagnostics" },
      el("h2", {}, "Noted about the script"),
      el(
        "ul",
        {},
        all
          .slice(0, MOST_NOTES)
          .map((each) =>
            el(
              "li",
              {},
              Number.isInteger(each.line)
                ? button(`line ${each.line}`, () => this.go.line(each.path ?? "", each.line), { class: "link mono" })
                : null,
              el("span", { class: "text" }, oneLine(each.message ?? JSON.stringify(each), 1000)),
            ),
          ),
      ),
      rest > 0 ? el("p", { class: "quiet" }, `and ${count(rest)} more`) : null,
    );
  }

  result(run) {
    if (run.result === undefined) return null;
    const text = valueText(run.result);
    const lines = text.split("\n", 9);
    const isLong = text.length > 900 || lines.length > 8;
    return el(
      "section",
      { class: "panel result-start" },
      el(
        "div",
        { class: "panel-head" },
        el("h2", {}, "Result"),
        isLong ? button("All of it", this.go.result, { class: "link" }) : null,
      ),
      el(
        "pre",
        { class: `text-block text ${isLong ? "fades" : ""}`, tabindex: "0", "aria-label": "Beginning of the result" },
        lines.slice(0, 8).join("\n").slice(0, 900),
      ),
    );
  }
}

function errorText(error) {
  if (typeof error === "string") return error;
  const { kind, message, stack, place } = error;
  const where = place && typeof place === "object" ? `line ${place.line}, column ${place.column}` : place;
  return [message || kind, where && !stack?.includes(where) ? `at ${where}` : null, stack].filter(Boolean).join("\n");
}

export class Result {
  constructor(model) {
    this.model = model;
    this.element = el("div", { class: "view view-result page-column" });
  }

  refresh() {
    const { run } = this.model;
    refill(
      this.element,
      run.error ? textBlock("Error", errorText(run.error), { className: "bad", heading: "h2" }) : null,
      run.result !== undefined
        ? textBlock("Result", valueText(run.result), { heading: "h2", fullLength: run.cut?.result })
        : null,
      run.result === undefined && !run.error
        ? el("p", { class: "empty" }, isGoingOn(run) ? "There is no result yet." : "This run has no result.")
        : null,
      run.args !== undefined && run.args !== null
        ? textBlock("Arguments", valueText(run.args), { heading: "h2", fullLength: run.cut?.args })
        : null,
      facts("Usage", run.usage),
      facts("Calls by outcome", run.census),
    );
  }
}

/** Figures as the run's report has them, by their names in words. */
function facts(title, figures) {
  const told = Object.entries(figures ?? {}).filter(
    ([, value]) => typeof value === "number" || typeof value === "string",
  );
  if (told.length === 0) return null;
  return el(
    "section",
    { class: "block" },
    el("h2", { class: "block-title block-head" }, title),
    el(
      "dl",
      { class: "facts panel" },
      told.map(([name, value]) => [
        el("dt", {}, inWords(name)),
        el("dd", {}, typeof value === "number" ? figure(value) : value),
      ]),
    ),
  );
}

function inWords(name) {
  const words = name
    .replace(/([A-Z])/g, " $1")
    .toLowerCase()
    .trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function figure(value) {
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(6)));
}
