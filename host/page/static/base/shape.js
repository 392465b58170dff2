// What the views may rely on: a text is a string or null, a number is finite or null, a list is an array of
// objects. A document may come from a damaged store, a file of events, or a later version; what has another
// form is given this one here, so that no view has to look.

function text(value) {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? null : JSON.stringify(value);
}

function number(value) {
  return Number.isFinite(value) ? value : null;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function object(value) {
  return isObject(value) ? value : null;
}

function listOf(shape) {
  return (value) => (Array.isArray(value) ? value.filter(isObject).map((each) => shaped(each, shape)) : []);
}

function shapeOf(groups) {
  return Object.fromEntries(groups.flatMap(([form, names]) => names.split(" ").map((name) => [name, form])));
}

/** The object with its members in their forms; those that are not there stay away. */
export function shaped(value, shape) {
  const found = { ...value };
  for (const name of Object.keys(found)) if (Object.hasOwn(shape, name)) found[name] = shape[name](found[name]);
  return found;
}

const FIGURES = "tokens costUsd inputTokens outputTokens cacheReadTokens cacheWriteTokens unpriced";
const REFUSAL = shapeOf([[text, "text problem"]]);
const ATTEMPT = shapeOf([
  [number, `number began ended lives ${FIGURES}`],
  [text, "error"],
  [listOf(REFUSAL), "refused"],
]);
const CALL = shapeOf([
  [text, "id path kind label phase model prompt error state sessionId"],
  [number, `asked began ended line column ${FIGURES}`],
  [object, "options cut worktree"],
  [listOf(ATTEMPT), "attempts"],
]);
const WORKFLOW = shapeOf([
  [text, "path sourceName source sameAs parent"],
  [object, "outline"],
]);
const LINE = shapeOf([
  [number, "at seq"],
  [text, "path type text"],
]);
const ROW = shapeOf([
  [text, "name"],
  [number, `calls failed seconds ${FIGURES}`],
]);
const USAGE = shapeOf([[number, FIGURES]]);
const ERROR = shapeOf([[text, "kind message stack place"]]);
const TOTALS = shapeOf([[listOf(ROW), "byPhase byModel byLabel"]]);
const RUN = shapeOf([
  [text, "id tenant name sourceName state verdict createdAt endedAt wakeAt forkedFrom pool held"],
  [number, "seconds lives priority takeovers"],
  [object, "census cut cancel"],
  [(usage) => shaped(object(usage) ?? {}, USAGE), "usage"],
  [(error) => (isObject(error) ? shaped(error, ERROR) : text(error)), "error"],
  [listOf(shapeOf([[text, "title detail"]])), "phases"],
  [listOf(shapeOf([[text, "message path"]])), "diagnostics"],
]);
const PAGE = {
  run: (run) => shaped(object(run) ?? {}, RUN),
  calls: listOf(CALL),
  workflows: listOf(WORKFLOW),
  logs: listOf(LINE),
  events: listOf(LINE),
  totals: (totals) => shaped(object(totals) ?? {}, TOTALS),
  left: object,
};

/** A page document, or a delta of one, in the form that the views rely on. */
export function pageOf(value) {
  return shaped(object(value) ?? {}, PAGE);
}
