// One run, live: the page of a report, and what a person may do to the run.

import { el, refill } from "../page/base/dom.js";
import { isGoingOn } from "../page/base/states.js";
import { mount } from "../page/page.js";
import { answerForm } from "./answer.js";
import { bar, doing, problemLine, root, showDialog } from "./frame.js";
import { acts, get, href, listen, path, pathOfCall, post } from "./net.js";
import { showResume } from "./resume.js";

const id = decodeURIComponent(globalThis.location.pathname.split("/").at(-1));
const problem = problemLine();
const forms = new Map(); // by call: what a person has typed stays when the call is drawn again
let page = null;

globalThis.document.body.classList.add("with-problem");
globalThis.document.body.prepend(problem);

function begin(whole) {
  if (page !== null) {
    page.replace(whole);
    return;
  }
  page = mount(root, whole, {
    live: true,
    home: { href: href(""), label: "Runs" },
    fetchCall: (call) => get(`${path("runs", id)}/calls/${pathOfCall(call)}`),
    actions: actions(),
    extra: (call) => (acts && isQuestion(call) ? form(call) : null),
  });
  page.update({}); // which of the actions there are follows from the page's model
}

function actions() {
  const wanted = [
    { label: "Compare", title: "With the run that it was forked from", when: (run) => run.forkedFrom !== null,
      run: (run) => globalThis.location.assign(href(`compare?${new URLSearchParams({ one: run.forkedFrom, other: id })}`)) },
  ];
  if (!acts) return wanted;
  return [
    { label: "Answer", kind: "primary", title: "The run asks a person", when: () => firstQuestion() !== undefined, run: () => page.open(firstQuestion().id) },
    { label: "Resume …", when: (run) => run.state !== "running", run: () => showResume(id) },
    ...wanted,
    { label: "Cancel …", kind: "danger", when: (run) => (isGoingOn(run) || run.state === "abandoned") && run.cancel === null, run: showCancel },
  ];
}

const isQuestion = (call) => call.kind === "ask" && call.state === "open";

const firstQuestion = () => [...(page?.model.calls.values() ?? [])].find(isQuestion);

function form(call) {
  if (!forms.has(call.id)) forms.set(call.id, answerForm(id, call.id));
  return forms.get(call.id);
}

function showCancel() {
  const refused = problemLine();
  const reason = el("input", { class: "field", type: "text", maxlength: "1000", id: "reason" });
  const act = () => post(`${path("runs", id)}/cancel`, { reason: reason.value });
  const dialog = showDialog("Cancel the run",
    el("p", {}, "Its agents are stopped. What was answered is kept, and the run can be gone on with later."),
    el("label", { class: "labelled", for: "reason" }, "Reason, which is kept with the run", reason), refused,
    el("div", { class: "dialog-end" }, doing("Cancel the run", act, () => dialog.close(), refused, { class: "action danger" })));
}

function showProblem(text) {
  problem.tell(text);
  if (page === null && text !== null) {
    refill(root, el("div", { class: "page" }, bar(el("h1", { class: "bar-name text" }, id)),
      el("main", { class: "main" }, el("p", { class: "empty" }, "There is nothing to show."))));
  }
}

listen(`${path("runs", id)}/stream`, { page: begin, delta: (delta) => page?.update(delta) }, showProblem);
