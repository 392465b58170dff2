// What a call's state is called, and the glyph that shows it to those who see no colour.

export const STATUSES = {
  working: { glyph: "●", word: "working" },
  waiting: { glyph: "◷", word: "waiting" },
  queued: { glyph: "○", word: "queued" },
  done: { glyph: "✓", word: "done" },
  reused: { glyph: "↺", word: "reused" },
  failed: { glyph: "✕", word: "failed" },
  refused: { glyph: "⊘", word: "not begun" },
  cancelled: { glyph: "–", word: "cancelled" },
};

// Worst first: what somebody looks for.
export const ORDER = ["failed", "refused", "working", "waiting", "queued", "done", "reused", "cancelled"];

const BY_STATE = {
  queued: "queued",
  answered: "done",
  done: "done",
  failed: "failed",
  refused: "refused",
  cancelled: "cancelled",
};

// Kinds of calls at which nobody works: time passes, or a person is asked.
const WAITS = new Set(["sleep", "ask"]);

const KIND_WORDS = { workflow: "child workflow", sandbox_exec: "exec", ask: "question" };

/** What a kind of call is called. */
export function kindOf(call) {
  return KIND_WORDS[call.kind] ?? String(call.kind);
}

/** Whether time passes at the call, or a person thinks, and nobody works. */
export function isWait(call) {
  return WAITS.has(call.kind);
}

export function statusOf(call) {
  if (call.kind === "sleep" && isOpen(call)) return "waiting";
  if (call.state === "open") return WAITS.has(call.kind) ? "waiting" : "working";
  if (call.reused && call.state === "answered") return "reused";
  return BY_STATE[call.state] ?? "queued";
}

export function isOpen(call) {
  return call.state === "open" || call.state === "queued";
}

/** Attempts after the first, and answers that were refused. */
export function repeats(call) {
  const attempts = call.attempts ?? [];
  const refused = attempts.reduce((sum, each) => sum + (each.refused?.length ?? 0), 0);
  return Math.max(0, attempts.length - 1) + refused;
}

/** How long it was at work, by its attempts; `now` ends those that go on. */
export function workedSeconds(call, now) {
  return spans(call, now).reduce((sum, each) => (each.kind === "queued" ? sum : sum + each.to - each.from), 0);
}

/** Of calls together, without waits; a child workflow's own calls are counted in its place. */
export function workedTogether(calls, now) {
  const counted = calls.filter((call) => call.kind !== "workflow" && !isWait(call));
  return counted.reduce((sum, call) => sum + workedSeconds(call, now), 0);
}

/**
 * The call as spans of time: `queued`, `work`, `retry` (an attempt that came to nothing), `failed` (the last
 * one, where that failed), `wait` (a sleep, or a question to a person), `reused` (a moment).
 */
export function spans(call, now) {
  const asked = call.asked ?? 0;
  if (call.reused) return [{ kind: "reused", from: asked, to: call.ended ?? asked }];
  const attempts = call.attempts ?? [];
  if (attempts.length === 0) return withoutAttempts(call, asked, now);
  const found = [];
  let from = asked;
  attempts.forEach((attempt, index) => {
    if (attempt.began > from) found.push({ kind: "queued", from, to: attempt.began });
    const isLast = index === attempts.length - 1;
    from = attempt.ended ?? (isLast && call.state === "open" ? now : (call.ended ?? attempt.began));
    found.push({
      kind: spanKind(call, attempt, isLast),
      from: attempt.began,
      to: from,
      isOpen: attempt.ended === null && call.state === "open",
    });
  });
  if (call.state === "queued") found.push({ kind: "queued", from, to: now });
  return found;
}

function spanKind(call, attempt, isLast) {
  if (WAITS.has(call.kind)) return "wait";
  if (!isLast) return "retry";
  if (call.state === "failed" || call.state === "refused") return "failed";
  return call.state === "queued" ? "retry" : "work";
}

function withoutAttempts(call, asked, now) {
  const began = call.began ?? null;
  const end = call.ended ?? (isOpen(call) ? now : (began ?? asked));
  if (call.kind === "sleep") return [{ kind: "wait", from: asked, to: end, isOpen: isOpen(call) }];
  if (began === null) return [{ kind: "queued", from: asked, to: end, isOpen: isOpen(call) }];
  const found = began > asked ? [{ kind: "queued", from: asked, to: began }] : [];
  const kind = WAITS.has(call.kind) ? "wait" : call.state === "failed" ? "failed" : "work";
  return [...found, { kind, from: began, to: end, isOpen: isOpen(call) }];
}

const VERDICTS = {
  completed: { glyph: "✓", tone: "good", word: "Completed" },
  failed: { glyph: "✕", tone: "bad", word: "Failed" },
  cancelled: { glyph: "–", tone: "quiet", word: "Cancelled" },
};
const RUN_STATES = {
  queued: { glyph: "○", tone: "quiet", word: "Queued" },
  running: { glyph: "●", tone: "live", word: "Running" },
  asleep: { glyph: "◷", tone: "wait", word: "Asleep" },
  diverged: { glyph: "⑂", tone: "bad", word: "Diverged" },
  abandoned: { glyph: "?", tone: "bad", word: "Abandoned" },
};

/** Glyph, tone and word of how a run stands. */
export function verdictOf(run) {
  if (run.state !== "ended") return RUN_STATES[run.state] ?? { glyph: "?", tone: "quiet", word: String(run.state) };
  const words = String(run.verdict ?? "ended").replaceAll("_", " ");
  return VERDICTS[run.verdict] ?? { glyph: "✕", tone: "bad", word: words.charAt(0).toUpperCase() + words.slice(1) };
}

export function isGoingOn(run) {
  return run.state === "running" || run.state === "queued" || run.state === "asleep";
}
