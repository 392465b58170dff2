// A page document as the views read it: calls by id, phases in order, and the changes that deltas bring.

import { seconds } from "./format.js";
import { linesOf, outlineOf } from "./places.js";
import { pageOf } from "./shape.js";
import { isOpen, kindOf, ORDER, repeats, statusOf, workedSeconds } from "./states.js";

export class Model {
  constructor(document, options = {}) {
    const whole = pageOf(document);
    this.isLive = options.live ?? false;
    this.run = whole.run ?? {};
    this.flowcage = whole.flowcage;
    this.workflows = new Map((whole.workflows ?? []).map((each) => [each.path, each]));
    this.calls = new Map((whole.calls ?? []).map((each) => [each.id, each]));
    this.logs = whole.logs ?? [];
    this.events = whole.events ?? [];
    this.totals = whole.totals ?? {};
    this.left = whole.left ?? {};
    this.texts = new Map();
    this.takeTime(whole.asOf);
  }

  /** Merge what has changed: calls by id, workflows by path, logs and events at the end, and the first leave. */
  take(changes) {
    const delta = pageOf(changes);
    if (delta.run) this.run = { ...this.run, ...delta.run };
    for (const each of delta.calls ?? []) {
      this.calls.set(each.id, { ...this.calls.get(each.id), ...each });
      this.texts.delete(each.id);
    }
    for (const each of delta.workflows ?? []) {
      this.workflows.set(each.path, { ...this.workflows.get(each.path), ...each });
    }
    for (const name of ["logs", "events"]) {
      const leftOut = (delta.left?.[name] ?? 0) - (this.left[name] ?? 0);
      this[name] = this[name].slice(Math.max(0, leftOut)).concat(delta[name] ?? []);
    }
    if (delta.totals) this.totals = delta.totals;
    if (delta.left) this.left = delta.left;
    this.takeTime(delta.asOf);
  }

  /** The line of the script that made a call, or undefined. */
  lineOf(call) {
    this.lines ??= linesOf(this.calls.values(), this.workflows);
    return this.lines.get(call.id);
  }

  /** Entries of the outline that no call of the run can have come from, of a phase or of all. */
  notCalled(phase) {
    const made = new Set([...this.calls.values()].filter((call) => call.path === "").map((call) => this.lineOf(call)));
    return outlineOf(this.workflows.get("")).filter((each) => !made.has(each.line) && each.phase === phase);
  }

  /** Where the run's error comes from, as `{path, line}`, if that is a line of a workflow that is known. */
  errorPlace() {
    const [, name, line] = /^(.*):(\d+):\d+$/s.exec(this.run.error?.place ?? "") ?? [];
    const workflow = [...this.workflows.values()].find((each) => each.sourceName === name);
    return workflow === undefined ? null : { path: workflow.path, line: Number(line) };
  }

  takeTime(asOf) {
    this.lines = undefined;
    if (asOf !== undefined) this.asOf = asOf;
    this.takenAt = performance.now();
  }

  /** Seconds since the run was made: of the moment that the document tells of, and live of this one. */
  get now() {
    if (this.run.state !== "running" && this.run.state !== "queued") return this.run.seconds ?? 0;
    const told = this.run.seconds ?? (Date.parse(this.asOf) - Date.parse(this.run.createdAt)) / 1000;
    const since = this.isLive ? (performance.now() - this.takenAt) / 1000 : 0;
    return (Number.isNaN(told) ? 0 : told) + since;
  }

  /** The end of the axis of time. */
  get extent() {
    let most = this.now;
    for (const call of this.calls.values()) most = Math.max(most, call.ended ?? call.began ?? call.asked ?? 0);
    return Math.max(most, 0.001);
  }

  /** Phases as `{name, detail, calls}`: those that the workflow names, then others as they come. */
  phases() {
    const found = new Map();
    for (const each of this.run.phases ?? [])
      found.set(each.title, { name: each.title, detail: each.detail, calls: [] });
    for (const call of this.calls.values()) {
      const name = call.phase ?? "";
      if (!found.has(name)) found.set(name, { name, calls: [] });
      found.get(name).calls.push(call);
    }
    return [...found.values()];
  }

  /** How many calls there are of each status, worst first; and how many were repeated. */
  statuses() {
    const counts = new Map(ORDER.map((each) => [each, 0]));
    let repeated = 0;
    for (const call of this.calls.values()) {
      const status = statusOf(call);
      counts.set(status, counts.get(status) + 1);
      if (repeats(call) > 0) repeated += 1;
    }
    return { counts, repeated };
  }

  open() {
    return [...this.calls.values()].filter(isOpen);
  }

  /** Whether a call has each of these words somewhere. */
  matches(call, words) {
    if (words.length === 0) return true;
    const text = this.textOf(call);
    return words.every((word) => text.includes(word));
  }

  textOf(call) {
    let text = this.texts.get(call.id);
    if (text === undefined) {
      const value = typeof call.value === "string" ? call.value : JSON.stringify(call.value ?? "");
      text = [call.id, call.label, call.phase, call.model, call.kind, call.prompt, call.error, value]
        .join("\n")
        .toLowerCase();
      this.texts.set(call.id, text);
    }
    return text;
  }

  nameOfWorkflow(path) {
    return this.workflows.get(path)?.sourceName ?? path;
  }

  /** The source of a workflow, which may stand with another one that has the same. */
  sourceOf(path) {
    const workflow = this.workflows.get(path);
    return workflow?.source ?? this.workflows.get(workflow?.sameAs)?.source ?? null;
  }
}

/** What a call is called in a row. */
export function nameOf(call) {
  if (call.label) return call.label;
  if (call.kind === "sleep" && call.options?.durationMs >= 0) return `sleep ${seconds(call.options.durationMs / 1000)}`;
  if (call.kind === "workflow") return workflowName(call.prompt ?? "");
  const line = (call.prompt ?? "").trimStart().slice(0, 120).split("\n", 1)[0];
  return line || `${kindOf(call)} ${call.id}`;
}

/** The name of a child workflow, or the path of its file. */
function workflowName(ref) {
  try {
    const path = JSON.parse(ref).scriptPath;
    if (typeof path === "string") return path;
  } catch {
    // a name
  }
  return ref || "child workflow";
}

const BY = {
  time: (call) => call.asked ?? 0,
  duration: (call, now) => -workedSeconds(call, now),
  tokens: (call) => -(call.tokens ?? 0),
  cost: (call) => -(call.costUsd ?? 0),
};
export const SORTS = Object.keys(BY);

/**
 * Rows of the list of calls: a row for each phase followed by its calls, or calls alone where they are
 * sorted otherwise than by time.
 */
export function rowsOf(model, { words, statuses, sort, closed }) {
  const isIn = (call) =>
    (statuses.size === 0 || statuses.has(statusOf(call)) || (statuses.has("repeated") && repeats(call) > 0)) &&
    model.matches(call, words);
  if (sort !== "time") return sorted([...model.calls.values()].filter(isIn), sort, model.now).map((call) => ({ call }));
  const phases = model.phases().map((each) => ({ ...each, inSight: each.calls.filter(isIn) }));
  const isFiltered = words.length > 0 || statuses.size > 0;
  const hasOne = phases.length === 1 && phases[0].name === "";
  return phases.flatMap((phase) => {
    if (isFiltered && phase.inSight.length === 0) return [];
    const calls = sorted(phase.inSight, "time", model.now).map((call) => ({ call }));
    if (hasOne) return calls;
    return [{ phase }, ...(closed.has(phase.name) ? [] : calls)];
  });
}

function sorted(calls, sort, now) {
  const keys = new Map(calls.map((call) => [call, BY[sort](call, now)]));
  return calls.sort((one, other) => keys.get(one) - keys.get(other));
}
