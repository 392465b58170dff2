// The head of a run: how it ended, what it took, and what it was.

import { button, el, refill } from "../base/dom.js";
import { count, counted, dollars, moment, seconds, tokens } from "../base/format.js";
import { isGoingOn, verdictOf } from "../base/states.js";

export function badge(run) {
  const { glyph, tone, word } = verdictOf(run);
  return el(
    "span",
    { class: `badge tone-${tone}` },
    el("span", { class: "glyph", "aria-hidden": "true" }, glyph),
    word,
  );
}

export class Head {
  constructor(model, actions) {
    this.model = model;
    this.actions = actions;
    this.element = el("div", { class: "head" });
    this.time = el("span", { class: "figure-value" });
  }

  refresh() {
    const { run } = this.model;
    refill(this.element, this.title(run), this.notice(run), this.figures(run));
    this.tickTime();
  }

  tickTime() {
    this.time.textContent = seconds(isGoingOn(this.model.run) ? this.model.now : this.model.run.seconds);
  }

  title(run) {
    const parts = [run.id, run.tenant && run.tenant !== "default" ? `tenant ${run.tenant}` : null, run.sourceName];
    return el(
      "div",
      { class: "title" },
      el(
        "div",
        { class: "title-line" },
        el("h2", { class: "run-name text" }, run.name || run.sourceName || run.id),
        badge(run),
        this.buttons(run),
      ),
      el(
        "p",
        { class: "meta" },
        parts.filter(Boolean).map((each, index) => el("span", { class: index === 0 ? "mono text" : "text" }, each)),
        el("time", { datetime: run.createdAt }, moment(run.createdAt)),
        run.forkedFrom ? el("span", {}, "forked from ", el("span", { class: "mono" }, run.forkedFrom)) : null,
        run.wakeAt && isGoingOn(run) ? el("span", {}, `sleeps until ${moment(run.wakeAt)}`) : null,
        run.pool ? el("span", { class: "text" }, `pool ${run.pool}`) : null,
        run.priority ? el("span", {}, `priority ${run.priority}`) : null,
        run.held && run.state === "queued" ? el("span", { class: "text tone-bad" }, `held: ${run.held}`) : null,
        run.takeovers > 0 ? el("span", {}, `${counted(run.takeovers, "worker", "workers")} lost with it`) : null,
        run.cancel ? el("span", {}, `to be cancelled: ${run.cancel.reason ?? ""}`) : null,
        run.lives > 1
          ? el("span", { title: "hosts that were at it, one after the other" }, counted(run.lives, "life", "lives"))
          : null,
      ),
    );
  }

  buttons(run) {
    const shownNow = this.actions.filter((each) => each.when?.(run, this.model) ?? true);
    if (shownNow.length === 0) return null;
    return el(
      "div",
      { class: "actions" },
      shownNow.map((each) =>
        button(each.label, () => each.run(run), {
          class: `action ${each.kind ?? ""}`,
          "data-key": `action ${each.label}`,
          title: each.title,
        }),
      ),
    );
  }

  notice(run) {
    if (!isGoingOn(run) || this.model.isLive) return null;
    return el(
      "p",
      { class: "notice", role: "note" },
      el("strong", {}, "This run is still going. "),
      `The page shows it as of ${moment(this.model.asOf)}.`,
    );
  }

  figures(run) {
    const { counts } = this.model.statuses();
    const agents = [...this.model.calls.values()].filter((each) => each.kind === "agent").length;
    const usage = run.usage ?? {};
    const failed = counts.get("failed") + counts.get("refused");
    const open = counts.get("working") + counts.get("waiting") + counts.get("queued");
    return el(
      "dl",
      { class: "figures" },
      figure(isGoingOn(run) ? "Time so far" : "Time", this.time),
      figure("Agents", count(agents), [
        failed ? el("span", { class: "tone-bad" }, `✕ ${count(failed)} failed`) : "none failed",
        open ? `${count(open)} open` : null,
        counts.get("reused") ? `↺ ${count(counts.get("reused"))} reused` : null,
      ]),
      figure("Tokens", tokens(usage.tokens), [
        usage.inputTokens ? `${tokens(usage.inputTokens)} in` : null,
        usage.outputTokens ? `${tokens(usage.outputTokens)} out` : null,
        usage.cacheReadTokens ? `${tokens(usage.cacheReadTokens)} cached` : null,
      ]),
      figure("Cost", dollars(usage.costUsd), [
        usage.unpriced ? `${counted(usage.unpriced, "answer")} without a price` : null,
      ]),
    );
  }
}

function figure(name, value, details = []) {
  const told = details.filter(Boolean).flatMap((each, index) => (index ? [" · ", each] : [each]));
  return el(
    "div",
    { class: "figure" },
    el("dt", {}, name),
    el(
      "dd",
      {},
      value instanceof Node ? value : el("span", { class: "figure-value" }, value),
      el("span", { class: "figure-detail" }, told),
    ),
  );
}
