// Diagnostics of values that JSON drops or empties: a Set crosses as {}, NaN as null, a function not at all. The value
// crosses as JSON has it, and its author gets one note for each place. No code of the workflow runs here but traps of
// its own proxies.

const MAX_LOSSES = 30; // notes of this kind, of MAX_DIAGNOSTICS
const MAX_CALL_SITES = 1000; // searches for one, each of which creates and reads a stack
const MAX_STEPS = 16; // prototypes of one value that are looked at
const MAX_NAME = 100; // characters of one member's name that are shown

// By prototype: what the value is, and what to write in its place.
const losses = new Map([
  [Set.prototype, ['a Set', 'use [...set]']],
  [Map.prototype, ['a Map', 'use Object.fromEntries(map), or [...map]']],
  [NativeError.prototype, ['an Error', 'use its message']],
  [RegExp.prototype, ['a RegExp', 'use String(regexp)']],
  [NativePromise.prototype, ['a promise', 'await it first']],
  [Iterator.prototype, ['an iterator', 'use [...iterator]']],
  [getPrototypeOf(getPrototypeOf(async function* () {}.prototype)), ['an async iterator',
    'use await Array.fromAsync(iterator)']],
  [WeakMap.prototype, ['a WeakMap', 'nothing can read it whole; use a Map']],
  [WeakSet.prototype, ['a WeakSet', 'nothing can read it whole; use a Set']],
]);
const lossOf = uncurry(Map.prototype.get);

const RESULT = { name: 'result', of: '' };
const AGENT_OPTIONS = { name: 'options', of: ' of agent()' };
const ASK_OPTIONS = { name: 'options', of: ' of ask()' };
const PHASE_OPTIONS = { name: 'options', of: ' of phase()' };
const WORKFLOW_ARGS = { name: 'args', of: ' of workflow()' };

const isLostPrimitive = (value) => (typeof value === 'number' ? value - value !== 0 : typeof value === 'symbol');

// The prototype of the last instance that loses nothing: instances of one class often follow each other.
let lastLosslessPrototype = ObjectPrototype;

// Whether a value is other than plain data. Called for every object that crosses, so it must be cheap.
function isUnusual(value) {
  if (typeof value === 'function') return true;
  const prototype = prototypeOf(value);
  return prototype !== ObjectPrototype && prototype !== ArrayPrototype && prototype !== null
    && prototype !== lastLosslessPrototype;
}

function prototypeOf(value) {
  try {
    return getPrototypeOf(value);
  } catch {
    return null; // a trap of a proxy has thrown
  }
}

function describeLoss(value) {
  if (typeof value === 'number') return [`${value}`, 'JSON has no such number'];
  if (typeof value === 'symbol') return ['a symbol', 'use its description'];
  if (typeof value === 'function') return ['a function', 'JSON holds data only'];
  const first = prototypeOf(value);
  for (let prototype = first, i = 0; prototype !== null && i < MAX_STEPS; i++) {
    const loss = lossOf(losses, prototype);
    if (loss !== undefined) return loss;
    prototype = prototypeOf(prototype);
  }
  lastLosslessPrototype = first;
  return undefined;
}

const noted = { __proto__: null };
let lossCount = 0;
let callSitesAsked = 0;

// Notes one loss. `root` is the argument or result that the value is a part of: {name, of}, or an index among the
// values of log(). `path` leads from there to the value: {name, above, isIndex}, innermost first; undefined for the
// root itself.
function noteLoss(root, path, value) {
  if (lossCount >= MAX_LOSSES || callSitesAsked >= MAX_CALL_SITES) return;
  const loss = describeLoss(value);
  if (loss === undefined) return;
  const { name, of } = typeof root === 'number' ? { name: `values[${root}]`, of: ' of log()' } : root;
  const site = callSite();
  if (isNotedAlready(name + of + site, path)) return;
  lossCount += 1;
  diagnose(loss[0] === 'a promise' ? 'promise_in_value' : 'lost_value',
    `${name}${shown(path)}${of} is ${loss[0]} and ${becomes(path, value)}${site}: ${loss[1]}`,
    `,"path":${quote(pointer(path))}`);
}

// Whether this place was noted before, and notes it. All items of one array are one place.
function isNotedAlready(origin, path) {
  let place = '';
  for (let step = path; step !== undefined; step = step.above) place = `/${step.isIndex ? '*' : cut(step)}${place}`;
  place = origin + place;
  if (place in noted) return true;
  noted[place] = true;
  return false;
}

function becomes(path, value) {
  if (typeof value === 'object') return 'crosses as {}';
  if (typeof value === 'number' || path === undefined || path.isIndex) return 'crosses as null';
  return 'is left out';
}

const cut = (step) => slice(step.name, 0, MAX_NAME);

// A path as JavaScript writes it.
function shown(path) {
  let text = '';
  for (let step = path; step !== undefined; step = step.above) {
    const name = cut(step);
    text = `${step.isIndex ? `[${name}]` : isName(name) ? `.${name}` : `[${quote(name)}]`}${text}`;
  }
  return text;
}

function isName(text) {
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    const isLetter = (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z') || char === '_' || char === '$';
    if (!isLetter && (i === 0 || char < '0' || char > '9')) return false;
  }
  return text !== '';
}

// A path as a JSON Pointer (RFC 6901).
function pointer(path) {
  let text = '';
  for (let step = path; step !== undefined; step = step.above) {
    const name = cut(step);
    let escaped = '';
    for (let i = 0; i < name.length; i++) escaped += name[i] === '~' ? '~0' : name[i] === '/' ? '~1' : name[i];
    text = `/${escaped}${text}`;
  }
  return text;
}

// Where the author's code made the current call: ' (workflow.js:3:1)', or '' where no frame is the author's.
function callSite() {
  callSitesAsked += 1;
  return siteIn(textOf(readStack(new NativeError())));
}

// The innermost of the author's frames in a stack, in the form that `callSite` returns.
function siteIn(stack) {
  const frames = authorFrames(stack);
  const end = indexOf(frames, '\n');
  const frame = end < 0 ? frames : slice(frames, 0, end);
  const open = indexOf(frame, '(');
  return open < 0 ? '' : ` ${slice(frame, open)}`;
}

// What an object becomes in a template literal, and what its author probably meant.
const TAGS = [
  ['[object Promise]', 'await it first'],
  ['[object Object]', 'use JSON.stringify(value)'],
  ['[object Map]', 'use JSON.stringify([...map])'],
  ['[object Set]', 'use JSON.stringify([...set])'],
  ['[object Generator]', 'use JSON.stringify([...iterator])'],
  ['[object Array Iterator]', 'use JSON.stringify([...iterator])'],
];

// Notes objects that were turned to text inside a prompt, which mean nothing to an agent.
function noteObjectsIn(prompt) {
  if (indexOf(prompt, '[object ') < 0) return;
  for (let i = 0; i < TAGS.length && lossCount < MAX_LOSSES && callSitesAsked < MAX_CALL_SITES; i++) {
    if (indexOf(prompt, TAGS[i][0]) < 0) continue;
    const site = callSite();
    if (isNotedAlready(TAGS[i][0] + site, undefined)) continue;
    lossCount += 1;
    diagnose('object_in_prompt', `the prompt of agent()${site} holds '${TAGS[i][0]}': ${TAGS[i][1]}`);
  }
}
