// The list of runs: filtered by the server, live, with what their agents have cost.

import { button, el, refill, setText } from "../page/base/dom.js";
import { count, counted, dollars, moment, seconds, tokens } from "../page/base/format.js";
import { keysDialog, onKeys } from "../page/base/keys.js";
import { badge } from "../page/views/head.js";
import { ago, bar, problemLine, root } from "./frame.js";
import { get, href, hrefOfRun, listen } from "./net.js";

const PART = 100;
const MOST_LIVE = 500; // rows that the server looks at again and again
const BILLS_AT_ONCE = 50;
const BILL_AGAIN_MS = 5_000; // of a run that goes on, whose whole history is read for it
const STATES = ["running", "asleep", "queued", "abandoned", "diverged", "ended"];
const VERDICTS = ["completed", "failed", "cancelled", "wall_timeout", "step_timeout", "cpu_limit", "out_of_memory", "expired"];
const KEYS = [
  [["j", "k"], "next and previous run; so do ↓ and ↑"], [["Enter"], "open the run"], [["x"], "mark it, to compare two"],
  [["c"], "compare the two that are marked"], [["/"], "search"], [["t"], "light, dark, or as the system has it"], [["?"], "this list"],
];

class List {
  constructor() {
    this.rows = new Map(); // by id: {run, bill, element, …}
    this.marked = new Set();
    this.bills = new Map();
    this.next = null;
    this.at = Date.now();
    this.makeFilter();
    this.makeFrame();
    this.start();
    setInterval(() => this.tellAges(), 15_000);
  }

  makeFilter() {
    const given = new URLSearchParams(globalThis.location.search);
    const changed = () => this.start();
    this.text = el("input", { class: "search", type: "search", placeholder: "Name or id", "aria-label": "Search by name or id", value: given.get("text") ?? "", oninput: () => this.startSoon() });
    this.state = choice("State", STATES, given.get("state"), changed);
    this.verdict = choice("Verdict", VERDICTS, given.get("verdict"), changed);
  }

  makeFrame() {
    this.problem = problemLine();
    this.found = el("p", { class: "found quiet", role: "status" });
    this.compare = button("Compare", () => this.goCompare(), { class: "action", disabled: true });
    this.body = el("tbody");
    this.more = button("Show more", () => this.loadMore(), { class: "action more", hidden: true });
    this.dialog = keysDialog(KEYS);
    const heads = ["", "Run", "State", "Begun", "Took", "Agents", "Tokens", "Cost"];
    const table = el("table", { class: "runs" },
      el("caption", { class: "unseen" }, "Runs, the newest first"),
      el("thead", {}, el("tr", {}, heads.map((each, index) => el("th", { scope: "col", class: index > 2 ? "number" : "" }, each || el("span", { class: "unseen" }, "Compare"))))),
      this.body);
    this.empty = el("p", { class: "empty", hidden: true }, "No run is like that.");
    const theme = bar(el("h1", { class: "bar-name" }, "Runs"), button("?", () => this.dialog.showModal(), { class: "icon", "aria-label": "Keys", title: "Keys (?)" }));
    refill(root, el("div", { class: "page" }, theme,
      el("div", { class: "toolbar", role: "search" }, this.text, this.state, this.verdict, this.compare, this.found), this.problem,
      el("main", { class: "main runs-view" }, table, this.empty, this.more)), this.dialog);
    onKeys({
      j: () => this.move(1), ArrowDown: () => this.move(1), k: () => this.move(-1), ArrowUp: () => this.move(-1),
      x: () => this.markFocused(), c: () => this.goCompare(), "/": () => this.text.focus(), "?": () => this.dialog.showModal(),
      t: () => theme.querySelector(".theme-switch").click(),
      Escape: () => globalThis.document.activeElement === this.text && this.text.blur(),
    });
  }

  query(more = {}) {
    const wanted = { text: this.text.value.trim(), state: this.state.chosen(), verdict: this.verdict.chosen(), ...more };
    return new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== "" && value !== null)).toString();
  }

  startSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.start(), 200);
  }

  /** Begin anew: all of the first part, and what changes of it. */
  start() {
    const query = this.query();
    globalThis.history.replaceState(null, "", query ? `?${query}` : globalThis.location.pathname);
    this.rows.clear();
    this.body.replaceChildren();
    this.next = null;
    this.listen(PART);
  }

  listen(limit) {
    this.limit = limit;
    this.end?.();
    this.end = listen(`runs/stream?${this.query({ limit })}`, { runs: (event) => this.take(event) }, this.problem.tell);
  }

  take({ runs, gone, at, next }) {
    this.at = at;
    if (next !== undefined && this.rows.size <= this.limit) this.next = next;
    for (const run of runs) this.put(run);
    for (const id of gone) {
      this.rows.get(id)?.element.remove();
      this.rows.delete(id);
      this.marked.delete(id);
    }
    this.tell();
  }

  async loadMore() {
    const limit = Math.min(MOST_LIVE, Math.ceil((this.rows.size + PART) / PART) * PART);
    try {
      const part = await get(`runs?${this.query({ limit: PART, before: this.next })}`);
      for (const run of part.runs) this.put(run);
      this.next = part.next;
      this.tell();
    } catch (error) {
      this.problem.tell(error.message);
    }
    if (limit > this.limit) this.listen(limit);
  }

  put(run) {
    let row = this.rows.get(run.id);
    if (row === undefined) {
      row = this.made(run);
      this.rows.set(run.id, row);
      this.body.insertBefore(row.element, this.firstAfter(run));
    }
    row.run = run;
    row.isStale = true;
    this.fill(row);
  }

  /** The row in front of which one stands: newest first. */
  firstAfter(run) {
    for (const element of this.body.children) {
      const other = element.run;
      if (other.createdAt < run.createdAt || (other.createdAt === run.createdAt && other.id < run.id)) return element;
    }
    return null;
  }

  made(run) {
    const mark = el("input", { type: "checkbox", "aria-label": `Mark ${run.id} to compare`, onchange: () => this.mark(run.id, mark.checked) });
    const cells = Object.fromEntries(["state", "begun", "took", "agents", "tokens", "cost"].map((name) => [name, el("td", { class: `cell-${name}` })]));
    const link = el("a", { class: "run-link text", href: hrefOfRun(run.id) }, run.sourceName || run.id);
    const about = el("span", { class: "mono quiet" }, run.id);
    const element = el("tr", {}, el("td", { class: "cell-mark" }, mark),
      el("th", { scope: "row" }, link, el("span", { class: "about" }, about, run.tenant ? el("span", { class: "tag text" }, run.tenant) : null, run.forkedFrom ? el("span", { class: "quiet" }, "forked") : null)),
      Object.values(cells));
    element.run = run;
    return { run, element, cells, mark, link };
  }

  fill(row) {
    const { run, cells } = row;
    row.element.run = run;
    refill(cells.state, badge(run), run.cancel !== null && run.state === "running" ? el("span", { class: "quiet" }, " ends") : null,
      run.held && run.state === "queued" ? el("span", { class: "quiet", title: run.held }, " held") : null);
    cells.begun.title = moment(run.createdAt);
    setText(cells.begun, ago(run.createdAt, this.at));
    const until = run.state === "running" ? this.at : run.updatedAt;
    setText(cells.took, seconds((until - run.createdAt) / 1000));
    this.fillBill(row);
  }

  fillBill({ run, cells }) {
    const bill = this.bills.get(run.id)?.bill;
    if (bill === undefined) return;
    refill(cells.agents, count(bill.agents), bill.failed ? el("span", { class: "tone-bad" }, ` ✕ ${count(bill.failed)}`) : null,
      bill.questions ? el("span", { class: "tag status-waiting" }, "asks you") : null);
    setText(cells.tokens, tokens(bill.tokens));
    refill(cells.cost, dollars(bill.costUsd), bill.unpriced ? el("span", { class: "quiet", title: `${counted(bill.unpriced, "answer")} without a price` }, " +?") : null);
  }

  tell() {
    this.empty.hidden = this.rows.size > 0;
    this.more.hidden = this.next === null;
    refill(this.found, this.next === null ? counted(this.rows.size, "run") : `the newest ${count(this.rows.size)} runs`);
    for (const row of this.rows.values()) row.mark.checked = this.marked.has(row.run.id);
    this.compare.disabled = this.marked.size !== 2;
    this.readBills();
  }

  tellAges() {
    this.at += 15_000;
    for (const row of this.rows.values()) this.fill(row);
    this.readBills();
  }

  /** Read what runs have cost, of those whose state has changed since; some at a time. */
  async readBills() {
    if (this.isReading) return;
    const wanted = [...this.rows.values()].filter((row) => this.lacksBill(row)).slice(0, BILLS_AT_ONCE);
    if (wanted.length === 0) return;
    this.isReading = true;
    try {
      const asked = wanted.map(({ run }) => [run.id, `${run.entries} ${run.state}`]);
      const bills = await get(`bills?${new URLSearchParams(asked.map(([id]) => ["run", id]))}`);
      for (const [id, of] of asked) this.bills.set(id, { of, bill: bills[id], at: Date.now() });
      for (const [id] of asked) if (this.rows.has(id)) this.fillBill(this.rows.get(id));
    } catch {
      return; // the stream says what is wrong
    } finally {
      this.isReading = false;
    }
    this.readBills();
  }

  lacksBill({ run }) {
    const known = this.bills.get(run.id);
    if (known === undefined) return true;
    return known.of !== `${run.entries} ${run.state}` && (run.state !== "running" || Date.now() - known.at > BILL_AGAIN_MS);
  }

  mark(id, isMarked) {
    if (isMarked) this.marked.add(id);
    else this.marked.delete(id);
    this.tell();
  }

  goCompare() {
    if (this.marked.size !== 2) return false;
    const [one, other] = [...this.marked].sort((a, b) => (this.rows.get(a)?.run.createdAt ?? 0) - (this.rows.get(b)?.run.createdAt ?? 0));
    globalThis.location.assign(href(`compare?${new URLSearchParams({ one, other })}`));
    return true;
  }

  move(by) {
    const links = [...this.body.querySelectorAll(".run-link")];
    const at = links.findIndex((each) => each.closest("tr").contains(globalThis.document.activeElement));
    links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
  }

  markFocused() {
    const row = globalThis.document.activeElement?.closest("tr")?.run;
    if (row !== undefined) this.mark(row.id, !this.marked.has(row.id));
  }
}

function choice(label, words, chosen, changed) {
  const options = [["", `${label}: all`], ...words.map((each) => [each, each.replaceAll("_", " ")])];
  const element = el("select", { class: "sort", "aria-label": label, onchange: changed },
    options.map(([value, text]) => el("option", { value, selected: value === (chosen ?? "") }, text)));
  element.chosen = () => element.value;
  return element;
}

new List();
