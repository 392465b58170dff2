// How a run can be gone on with: what is reused, what runs and why, who is asked; and the start.

import { el, refill } from "../page/base/dom.js";
import { count, counted, tokens } from "../page/base/format.js";
import { doing, problemLine, showDialog } from "./frame.js";
import { get, hrefOfRun, path, post } from "./net.js";

const SHOWN = 300;

/** Ask for the ways, and show them. */
export function showResume(run) {
  const body = el("div", {}, el("p", { class: "quiet" }, "Loading …"));
  showDialog("Resume", body);
  get(`${path("runs", run)}/resume`).then(
    ({ ways, begunWith }) => refill(body, ways.length > 0 ? content(run, ways, begunWith) : el("p", {}, "There is nothing to go on with.")),
    (error) => refill(body, el("p", { class: "problem text" }, error.message)),
  );
}

function content(run, ways, begunWith) {
  const problem = problemLine();
  const explained = el("div", { class: "explained", "aria-live": "polite" });
  let chosen = ways[0];
  const choose = (way) => {
    chosen = way;
    explain(run, way, explained, () => chosen === way);
  };
  const radios = el("fieldset", { class: "choices" }, el("legend", { class: "unseen" }, "Ways to go on"), ways.map((way) =>
    el("label", { class: "text" }, el("input", { type: "radio", name: "way", checked: way === chosen, onchange: () => choose(way) }), way.title, way.script ? el("code", { class: "text" }, ` ${way.script}`) : null)));
  choose(chosen);
  const start = doing("Start", () => post(`${path("runs", run)}/resume`, { way: chosen.name }), (told) => globalThis.location.assign(hrefOfRun(told.runId)), problem);
  return [radios, who(begunWith), explained, problem, el("div", { class: "dialog-end" }, start)];
}

/** A store may come from somebody else: so it is told what would be started, and where. */
function who(begunWith) {
  const names = { agent: "Agent", model: "Model", child_command: "Child", cwd: "Folder", file: "File" };
  return el("dl", { class: "begun-with" }, Object.entries(names).filter(([name]) => begunWith[name]).map(([name, title]) =>
    el("div", {}, el("dt", {}, title), el("dd", { class: "text mono" }, begunWith[name]))));
}

async function explain(run, way, element, isWanted) {
  refill(element, el("p", { class: "quiet" }, "Looking what would be asked …"));
  try {
    const found = await post(`${path("runs", run)}/resume/explain`, { way: way.name });
    if (isWanted()) refill(element, explanation(found));
  } catch (error) {
    if (isWanted()) refill(element, el("p", { class: "problem text" }, error.message));
  }
}

function explanation(found) {
  const runs = found.calls.filter((call) => call.reused === null);
  const rest = found.calls.length > SHOWN ? el("p", { class: "quiet" }, `${count(found.calls.length - SHOWN)} further calls are not shown`) : null;
  const after = found.error !== null ? `Then the run fails: ${found.error}` : found.isComplete ? "Then the run is complete." : "What comes after these calls is not known before they are answered.";
  return [
    el("p", {}, el("strong", {}, `${count(found.reused)} of ${counted(found.answers, "answer")} reused`), ` (${tokens(found.tokens)} tokens), ${counted(runs.length, "call")} to run.`),
    el("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Calls" }, el("table", { class: "explanation" },
      el("thead", {}, el("tr", {}, ["Call", "Kind", "Label", "What becomes of it"].map((each) => el("th", { scope: "col" }, each)))),
      el("tbody", {}, found.calls.slice(0, SHOWN).map(row)))),
    rest, el("p", { class: "quiet text" }, after),
  ];
}

function row(call) {
  const what = call.reused === null ? el("span", { class: "status-working text" }, `runs: ${call.why}`) : el("span", { class: "status-reused" }, `reused, ${call.reused}`);
  return el("tr", {}, el("td", { class: "mono" }, call.id), el("td", {}, call.kind), el("td", { class: "text" }, call.label ?? ""), el("td", {}, what));
}
