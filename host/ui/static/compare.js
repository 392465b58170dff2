// Two runs beside each other: figures with their differences, and the calls in pairs.

import { difference } from "../page/base/diff.js";
import { el, refill } from "../page/base/dom.js";
import { count, dollars, seconds, tokens } from "../page/base/format.js";
import { badge } from "../page/views/head.js";
import { laidOut } from "../page/views/texts.js";
import { bar, problemLine, root } from "./frame.js";
import { get, hrefOfRun } from "./net.js";

const KINDS = { changed: "changed", one: "only in the first", other: "only in the second", same: "same" };
const GLYPHS = { changed: "≠", one: "−", other: "+", same: "=" };
const given = new URLSearchParams(globalThis.location.search);
const problem = problemLine();
const main = el("main", { class: "main" }, el("p", { class: "empty" }, "Loading …"));
const shown = new Set(["changed", "one", "other"]);

refill(root, el("div", { class: "page" }, bar(el("h1", { class: "bar-name" }, "Two runs")), problem, main));
globalThis.document.title = "two runs · flowcage";

function draw(found) {
  if (found.counts.changed === undefined && found.counts.one === undefined && found.counts.other === undefined) shown.add("same");
  const list = el("ol", { class: "pairs" });
  const fill = () => refill(list, found.calls.filter((pair) => shown.has(pair.is)).map((pair) => pairOf(pair, found)));
  fill();
  refill(main, el("div", { class: "page-column" }, figures(found), result(found),
    el("section", { class: "panel", "aria-label": "Calls" },
      el("div", { class: "panel-head" }, el("h2", {}, "Calls"), el("div", { class: "chips" }, Object.entries(KINDS).map(([kind, word]) => chip(kind, word, found, fill)))), list)));
}

function chip(kind, word, found, fill) {
  const element = el("button", { type: "button", class: "chip", "aria-pressed": String(shown.has(kind)), onclick: () => {
    if (!shown.delete(kind)) shown.add(kind);
    element.setAttribute("aria-pressed", String(shown.has(kind)));
    fill();
  } }, `${GLYPHS[kind]} ${word}`, el("span", { class: "chip-count" }, count(found.counts[kind] ?? 0)));
  return element;
}

function figures({ one, other }) {
  const head = (run, word) => el("th", { scope: "col" }, el("span", { class: "quiet" }, word), el("a", { class: "run-link text", href: hrefOfRun(run.id) }, run.sourceName || run.id), el("span", { class: "mono quiet" }, run.id));
  const rows = [["Time", "seconds", seconds], ["Agents", "agents", count], ["Tokens", "tokens", tokens], ["Cost", "costUsd", dollars]];
  return el("section", { class: "panel scrolled", tabindex: "0", "aria-label": "Figures" }, el("table", { class: "figures-table" },
    el("thead", {}, el("tr", {}, el("td"), head(one, "first"), head(other, "second"), el("th", { scope: "col" }, "difference"))),
    el("tbody", {}, el("tr", {}, el("th", { scope: "row" }, "State"), el("td", {}, badge(one)), el("td", {}, badge(other)), el("td", {}, one.verdict === other.verdict && one.state === other.state ? "=" : "≠")),
      rows.map(([title, name, words]) => el("tr", {}, el("th", { scope: "row" }, title), el("td", {}, words(one[name])), el("td", {}, words(other[name])), el("td", {}, signed(other[name] - one[name], words)))))));
}

function signed(value, words) {
  if (value === 0) return "=";
  return `${value > 0 ? "+" : "−"}${words(Math.abs(value))}`;
}

function result({ one, other }) {
  const text = (run) => laidOut(run.result ?? (run.error === null ? "" : JSON.stringify(run.error)));
  if (text(one) === text(other)) return null;
  return el("section", { class: "panel" }, el("div", { class: "panel-head" }, el("h2", {}, "Result")), lines(text(one), text(other)));
}

function pairOf(pair, found) {
  const call = pair.one ?? pair.other;
  const name = call.label ?? (call.prompt.trimStart().slice(0, 120).split("\n", 1)[0] || `${call.kind} ${call.id}`);
  const summary = el("summary", {}, el("span", { class: `glyph pair-${pair.is}`, "aria-hidden": "true" }, GLYPHS[pair.is]),
    el("span", { class: "pair-name text" }, name), el("span", { class: "quiet text" }, call.phase ?? ""),
    el("span", { class: "pair-what" }, pair.changes.length > 0 ? pair.changes.join(", ") : KINDS[pair.is]),
    el("span", { class: "pair-cost" }, costOf(pair)));
  const details = el("details", { ontoggle: () => {
    if (details.open && details.childElementCount === 1) details.append(el("div", { class: "pair-body" }, body(pair, found)));
  } }, summary);
  return el("li", {}, details);
}

function costOf({ one, other }) {
  if (one === null || other === null) return `${tokens((one ?? other).tokens)} tokens`;
  const parts = [other.tokens === one.tokens ? null : `${signed(other.tokens - one.tokens, tokens)} tokens`, other.costUsd === one.costUsd ? null : signed(other.costUsd - one.costUsd, dollars)];
  return parts.filter(Boolean).join(", ");
}

function body(pair, found) {
  const link = (run, call) => (call === null ? null : el("a", { class: "link", href: `${hrefOfRun(run.id)}#call=${encodeURIComponent(call.id)}` }, `call ${call.id} of ${run.id}`));
  const facts = (call) => (call === null ? [] : [call.state, call.model, seconds(call.seconds), `${count(call.tokens)} tokens`, dollars(call.costUsd), call.reused ? "reused" : null, call.error].filter(Boolean).join(" · "));
  const side = (run, call) => el("p", { class: "text" }, link(run, call), " ", facts(call));
  const text = (call, name) => (call === null ? "" : laidOut(String(call[name] ?? "")));
  return [
    pair.one === null ? null : side(found.one, pair.one), pair.other === null ? null : side(found.other, pair.other),
    ["prompt", "answer"].map((name) => {
      const [before, after] = [text(pair.one, name), text(pair.other, name)];
      if (before === "" && after === "") return null;
      return el("section", {}, el("h3", {}, name), before === after || pair.one === null || pair.other === null ? plain(after || before) : lines(before, after));
    }),
  ];
}

const plain = (text) => el("pre", { class: "text-block text", tabindex: "0" }, text);

function lines(before, after) {
  const found = difference(before, after);
  if (found === null) return el("div", { class: "two" }, plain(before), plain(after));
  const classes = { "+": "line-added", "-": "line-removed", " ": "" };
  return el("pre", { class: "text-block text", tabindex: "0" }, found.map(({ sign, text }) => el("span", { class: `line ${classes[sign]}` }, `${sign} ${text}\n`)));
}

get(`compare?${new URLSearchParams({ one: given.get("one") ?? "", other: given.get("other") ?? "" })}`).then(draw, (error) => {
  problem.tell(error.message);
  refill(main, el("p", { class: "empty" }, "There is nothing to compare."));
});
