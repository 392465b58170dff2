// Where in its script a call was made. The document tells the place of calls that wait; that of others follows
// from the outline of the source where one place alone can have made the call.

const HOLE = "${…}"; // what an outline has for a part of a text that is known at run time only

/** Whether a text can be what this one became, whose holes may be anything. */
export function fits(pattern, text) {
  const parts = String(pattern).split(HOLE);
  const first = parts.shift();
  if (!text.startsWith(first)) return false;
  if (parts.length === 0) return text === first;
  const last = parts.pop();
  let at = first.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** The entries of an outline that can have made the call: each rule is left out where it leaves none. */
function candidates(call, entries) {
  const kind = call.kind === "sandbox_exec" ? "exec" : call.kind;
  const rules = [
    (each) => (call.label ? Boolean(each.label) && fits(each.label, call.label) : !each.label),
    (each) => typeof each.phase !== "string" || fits(each.phase, call.phase ?? ""),
    (each) => typeof each.prompt !== "string" || begins(each.prompt, call.prompt ?? ""),
  ];
  let left = entries.filter((each) => each.kind === kind);
  for (const rule of rules) {
    const found = left.filter(rule);
    if (found.length > 0) left = found;
  }
  return left;
}

/** Whether a text begins as the outline says, which has its white space as single spaces. */
function begins(pattern, text) {
  const first = pattern.split(HOLE, 1)[0].slice(0, 60);
  return text.slice(0, 400).trimStart().replace(/\s+/g, " ").startsWith(first);
}

export function outlineOf(workflow) {
  const calls = workflow?.outline?.calls;
  return Array.isArray(calls) ? calls.filter((each) => each && Number.isInteger(each.line)) : [];
}

/** The line of each call, by id, as far as it is known or follows from the outline. */
export function linesOf(calls, workflows) {
  const entries = new Map([...workflows].map(([path, workflow]) => [path, outlineOf(workflow)]));
  const found = new Map();
  for (const call of calls) {
    const made = candidates(call, entries.get(call.path) ?? []);
    const lines = new Set(call.line ? [call.line] : made.map((each) => each.line));
    if (lines.size === 1) found.set(call.id, [...lines][0]);
  }
  return found;
}
