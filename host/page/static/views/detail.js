// One call: what was asked, what came back, what was refused, and what it took.

import { button, el, refill, shown } from "../base/dom.js";
import { count, dollars, seconds, tokens } from "../base/format.js";
import { difference } from "../base/diff.js";
import { nameOf } from "../base/model.js";
import { isWait, kindOf, repeats, STATUSES, statusOf, workedSeconds } from "../base/states.js";
import { laidOut, textBlock, valueText } from "./texts.js";

const SOME_OPTIONS = new Set(["label", "phase"]); // that are shown already

export class Detail {
  constructor(model, { fetchCall, extra, onclose, online }) {
    Object.assign(this, { model, fetchCall, extra, online });
    this.title = el("h2", { class: "text", id: "detail-title" });
    this.above = el("div", { class: "detail-part" });
    this.slot = el("div", { class: "detail-part" });
    this.under = el("div", { class: "detail-part" });
    this.body = el(
      "div",
      { class: "detail-body", tabindex: "0", role: "region", "aria-labelledby": "detail-title" },
      this.above,
      this.slot,
      this.under,
    );
    this.element = el(
      "aside",
      { class: "detail", "aria-labelledby": "detail-title", hidden: true },
      el(
        "div",
        { class: "detail-head" },
        this.title,
        button("✕", onclose, { class: "icon close", "aria-label": "Close (Esc)", title: "Close (Esc)" }),
      ),
      this.body,
    );
  }

  /** Show a call, or what has become of the one that is shown. */
  show(id) {
    const call = this.model.calls.get(id);
    if (call === undefined) return this.hide();
    const isSame = this.id === id && !this.element.hidden;
    if (isSame && this.drawn === call) return undefined;
    const top = isSame ? this.body.scrollTop : 0;
    this.id = id;
    this.drawn = call;
    refill(this.title, nameOf(call).slice(0, 300));
    const opened = isSame ? [...this.under.querySelectorAll("details")].map((each) => each.open) : [];
    refill(
      this.above,
      this.status(call),
      facts(call, this.model, this.online),
      call.kind === "ask" ? this.prompt(call) : null,
    );
    this.put(this.extra?.(call, isSame ? this.slot.firstElementChild : null) ?? null);
    refill(this.under, this.content(call));
    [...this.under.querySelectorAll("details")].forEach((each, index) => {
      each.open = opened[index] ?? false;
    });
    this.element.hidden = false;
    this.body.scrollTop = top;
    return undefined;
  }

  /** What others add stays untouched where they give the same again: it may be a form that is filled in. */
  put(element) {
    if (element !== this.slot.firstElementChild) refill(this.slot, element);
    this.slot.hidden = element === null;
  }

  hide() {
    this.element.hidden = true;
    this.id = null;
    this.drawn = null;
  }

  content(call) {
    return [
      call.error ? textBlock("Error", call.error, { className: "bad" }) : null,
      call.kind === "ask" ? null : this.prompt(call),
      call.withheld?.length
        ? el("p", { class: "quiet" }, `The store does not keep: ${[].concat(call.withheld).join(", ")}.`)
        : null,
      call.value !== undefined
        ? textBlock(call.reused ? "Answer, reused" : "Answer", valueText(call.value), this.whole(call, "value"))
        : null,
      attempts(call),
      options(call),
    ];
  }

  prompt(call) {
    if (!call.prompt) return null;
    return textBlock(call.kind === "ask" ? "Question" : "Prompt", call.prompt, this.whole(call, "prompt"));
  }

  status(call) {
    const status = statusOf(call);
    const { glyph, word } = STATUSES[status];
    const again = repeats(call);
    return el(
      "p",
      { class: "detail-status" },
      el("span", { class: `tag status-${status}` }, el("span", { class: "glyph", "aria-hidden": "true" }, glyph), word),
      again ? el("span", { class: "tag status-repeated" }, `↻ repeated ${again}×`) : null,
      call.kind === "agent" ? null : el("span", { class: "tag" }, kindOf(call)),
    );
  }

  whole(call, member) {
    const fullLength = call.cut?.[member];
    if (fullLength === undefined) return {};
    const whole = async (line) => {
      refill(line, "Loading …");
      try {
        this.model.take({ calls: [{ ...(await this.fetchCall(call.id)), cut: undefined }] });
        if (this.id === call.id) this.show(call.id);
      } catch (error) {
        refill(line, `It could not be loaded: ${error.message ?? error}`);
      }
    };
    return { fullLength, whole: this.fetchCall ? whole : undefined };
  }
}

function facts(call, model, online) {
  const pair = (name, value, className = "") =>
    value === null || value === undefined || value === ""
      ? []
      : [el("dt", {}, name), el("dd", { class: className }, value)];
  const began = call.began ?? call.attempts?.[0]?.began;
  const queue = began === undefined || began === null ? null : began - call.asked;
  const at = model.lineOf(call);
  const line = at
    ? button(`${model.nameOfWorkflow(call.path)}:${at}`, () => online(call.path, at), { class: "link mono" })
    : null;
  const from = call.reusedFrom ? [].concat(call.reusedFrom).join(" / ") : null;
  return el(
    "dl",
    { class: "facts" },
    pair("Call", call.id, "mono"),
    pair("Phase", call.phase, "text"),
    pair("Model", call.model, "mono text"),
    pair(isWait(call) ? "Waited" : "At work", seconds(workedSeconds(call, model.now))),
    pair("In the queue", queue ? seconds(queue) : null),
    pair("Tokens", call.tokens ? tokenText(call) : null),
    pair("Cost", call.costUsd ? dollars(call.costUsd) : null),
    pair("Workflow", call.path ? model.nameOfWorkflow(call.path) : null, "text"),
    pair("Script", line),
    pair("Reused from", from, "mono"),
    pair("Session", call.sessionId, "mono"),
    pair(
      "Worktree",
      call.worktree ? (call.worktree.branch ?? call.worktree.path ?? JSON.stringify(call.worktree)) : null,
      "mono",
    ),
  );
}

function tokenText(call) {
  const parts = [
    [call.inputTokens, "in"],
    [call.outputTokens, "out"],
    [call.cacheReadTokens, "cached"],
  ].filter(([value]) => value);
  const detail = parts.map(([value, word]) => `${tokens(value)} ${word}`).join(", ");
  return detail ? `${count(call.tokens)} (${detail})` : count(call.tokens);
}

function attempts(call) {
  const all = call.attempts ?? [];
  if (repeats(call) === 0 && !all.some((each) => each.error || each.lives > 1)) return null;
  return el(
    "section",
    { class: "block attempts" },
    el("h3", {}, "Attempts"),
    el(
      "ol",
      {},
      all.map((each) => attempt(call, each)),
    ),
  );
}

function attempt(call, { number, began, ended, lives, error, tokens: used, costUsd, refused = [] }) {
  const time = ended === null || ended === undefined ? "at work" : seconds(ended - began);
  const parts = [
    time,
    used ? `${tokens(used)} tokens` : null,
    costUsd ? dollars(costUsd) : null,
    lives > 1 ? `${lives} hosts` : null,
  ];
  return el(
    "li",
    {},
    el("p", { class: "attempt-head" }, el("strong", {}, `Attempt ${number}`), ` ${parts.filter(Boolean).join(" · ")}`),
    error ? el("p", { class: "attempt-error text" }, shown(error).slice(0, 4000)) : null,
    refused.map((each, index) =>
      refusal(each, refused[index + 1]?.text ?? (call.value === undefined ? null : valueText(call.value))),
    ),
  );
}

/** A refused answer, as the difference to what came next. */
function refusal({ text, problem }, next) {
  const lines = text && next !== null ? difference(laidOut(text), laidOut(next)) : null;
  return el(
    "details",
    { class: "refusal" },
    el(
      "summary",
      {},
      el("span", { class: "tone-bad" }, "Refused: "),
      el("span", { class: "text" }, problem.slice(0, 2000)),
    ),
    lines === null
      ? textBlock("The answer", text ?? "(not kept)", { className: "bad" })
      : el(
          "pre",
          { class: "diff", tabindex: "0", "aria-label": "Difference to the next answer" },
          lines
            .slice(0, 2000)
            .map(({ sign, text: line }) =>
              el(
                "span",
                { class: `diff-line ${sign === "-" ? "less" : sign === "+" ? "more" : ""}` },
                `${sign} ${line.slice(0, 4000)}\n`,
              ),
            ),
        ),
  );
}

function options(call) {
  const told = Object.entries(call.options ?? {}).filter(([name]) => !SOME_OPTIONS.has(name));
  if (told.length === 0) return null;
  return el(
    "details",
    { class: "block options" },
    el("summary", {}, "Options"),
    textBlock("Options of the call", JSON.stringify(Object.fromEntries(told), null, 2)),
  );
}
