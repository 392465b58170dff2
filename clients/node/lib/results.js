// What the contract allows as a result: https://flowcage.dev/schemas/1.0/, as far as this client reads it.
import { ProtocolViolation } from './errors.js';

export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === 'string';
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isFlag = (value) => value === undefined || typeof value === 'boolean';
const isOptions = (value) => value === undefined || isObject(value);
const isPeer = (value) => isObject(value) && isText(value.name) && isText(value.version);
const isListOf = (isItem) => (value) => Array.isArray(value) && value.every(isItem);
const isTextMap = (value) => isObject(value) && Object.values(value).every(isText);

const isChoice = (it) => isObject(it) && isText(it.label) && it.label !== '' && 'value' in it;

const REQUESTS = {
  agent: (it) => isText(it.prompt) && isOptions(it.options),
  workflow: (it) => isText(it.ref) || (isObject(it.ref) && isText(it.ref.scriptPath)),
  sleep: (it) => isCount(it.durationMs),
  sandbox_exec: (it) => isText(it.profile) && isObject(it.request) && isText(it.request.command)
    && isListOf(isText)(it.request.args ?? []) && isTextMap(it.request.env ?? {})
    && isText(it.request.cwd ?? '') && isText(it.request.stdin ?? ''),
  ask: (it) => isText(it.question) && it.question !== '' && (typeof it.schema === 'boolean' || isOptions(it.schema))
    && isText(it.label ?? '') && (it.choices === undefined || (isListOf(isChoice)(it.choices) && it.choices.length > 0)),
};

const CALLS = {
  log: (it) => Array.isArray(it.values),
  phase: (it) => isText(it.name) && isOptions(it.options),
};

// A type that only a later version of the contract has is passed to the caller.
const isOneOf = (kinds, it) => isText(it.type) && (!Object.hasOwn(kinds, it.type) || kinds[it.type](it));
const isRequest = (it) => isObject(it) && isText(it.id) && it.id !== '' && isOneOf(REQUESTS, it);
const isCall = (it) => isObject(it) && isOneOf(CALLS, it);
const isNote = (it) => isObject(it) && isText(it.kind) && isText(it.message);
const isDialect = (value) => value === undefined || isText(value);
const isOutput = (it) => isObject(it) && 'result' in it;

const isPlace = (it) => it === undefined || (isCount(it) && it > 0);
const isSite = (it) => isObject(it) && isText(it.id) && it.id !== '' && isPlace(it.line) && isPlace(it.column);

const isLine = (it) => isCount(it) && it > 0;
const isFinding = (it) => isObject(it) && isText(it.kind) && it.kind !== '' && isText(it.message) && isText(it.severity)
  && isLine(it.line) && isLine(it.column) && isPlace(it.endLine) && isPlace(it.endColumn) && isText(it.hint ?? '');

const LIMITS = [
  'memoryBytes', 'stackBytes', 'stepTimeoutMs', 'cpuSeconds', 'maxSleepMs', 'maxMessageBytes',
  'maxPendingRequests', 'maxQueuedBytes',
];

const DRAINED = {
  calls: isListOf(isCall),
  requests: isListOf(isRequest),
  state: (it) => it === 'pending' || it === 'complete',
  output: (it, { state }) => state !== 'complete' || isOutput(it),
  stalled: isFlag,
  more: isFlag,
  diagnostics: (it) => it === undefined || isListOf(isNote)(it),
};

const RESULTS = {
  initialize: {
    protocolVersion: isText,
    server: isPeer,
    engine: isPeer,
    limits: (it) => isObject(it) && LIMITS.every((name) => isCount(it[name]) && it[name] > 0),
    isolation: (it) => isObject(it) && Object.values(it).every(
      (layer) => isObject(layer) && typeof layer.applied === 'boolean' && isText(layer.detail),
    ),
    maxMessageBytes: (it) => isCount(it) && it > 0,
    methods: (it) => it === undefined || isListOf(isText)(it),
  },
  check: {
    dialect: isText,
    findings: (it) => it === undefined || isListOf(isFinding)(it),
    outline: isOptions,
  },
  start: { dialect: isDialect },
  poll: {
    type: isText,
    call: (it, { type }) => type !== 'call' || isCall(it),
    request: (it, { type }) => type !== 'request' || isRequest(it),
    output: (it, { type }) => type !== 'complete' || isOutput(it),
    stalled: (it, { type }) => type !== 'pending' || typeof it === 'boolean',
  },
  take: { requests: isListOf(isRequest) },
  drain: DRAINED,
  run: { ...DRAINED, dialect: isDialect },
  advance: DRAINED,
  replay: { ...DRAINED, counts: (it) => isListOf(isCount)(it) && it.length > 0 },
  sites: { sites: isListOf(isSite) },
  resolve: {},
  shutdown: {},
};

/** Throw ProtocolViolation unless `result` is what the contract has as the result of `method`. */
export function requireResult(method, result) {
  const members = RESULTS[method] ?? {};
  const isRight = (name) => members[name](result[name], result);
  const wrong = isObject(result) ? Object.keys(members).find((name) => !isRight(name)) : 'result';
  if (wrong) throw new ProtocolViolation(`the child's answer to ${method} is not in the contract: ${wrong}`);
}
