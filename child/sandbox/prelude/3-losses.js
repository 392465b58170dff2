// Notes on what JSON empties: a Set crosses as {}, NaN as null, a function not at all. The value crosses as JSON has
// it; its author is told once for each place. No code of the workflow runs but traps of its own proxies.

const MAX_LOSSES = 30; // of the notes there may be in all
const MAX_CALL_SITES = 1000; // each is looked for in a stack
const MAX_STEPS = 16; // up the prototypes of one value
const MAX_NAME = 100; // characters of one member's name

// What each of these was, and what to write in its place.
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
const PHASE_OPTIONS = { name: 'options', of: ' of phase()' };
const WORKFLOW_ARGS = { name: 'args', of: ' of workflow()' };

const isLostPrimitive = (value) => (typeof value === 'number' ? value - value !== 0 : typeof value === 'symbol');

// The class of the last instance that lost nothing: many of a kind come one after the other.
let lastLosslessPrototype = ObjectPrototype;

// Anything but plain data: cheap, since every object that crosses is asked.
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
    return null; // a proxy's trap
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

// `root` is of what the value is a part: {name, of}, or a place among the values of log(). `path` leads from there to
// it: {name, above, isIndex}, innermost first; undefined for the root itself.
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

// One note for a place: of the items of one array, the first that has this to say.
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

// The way as JavaScript writes it.
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

// The way as a JSON Pointer (RFC 6901).
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

// Where the author's code made the call that is being carried out: ' (workflow.js:3:1)', or nothing.
function callSite() {
  callSitesAsked += 1;
  return siteIn(textOf(readStack(new NativeError())));
}

// The innermost of the author's frames in a stack, as `callSite` tells it.
function siteIn(stack) {
  const frames = authorFrames(stack);
  const end = indexOf(frames, '\n');
  const frame = end < 0 ? frames : slice(frames, 0, end);
  const open = indexOf(frame, '(');
  return open < 0 ? '' : ` ${slice(frame, open)}`;
}

// What text shows where an object was put into it, and what its author will have meant.
const TAGS = [
  ['[object Promise]', 'await it first'],
  ['[object Object]', 'use JSON.stringify(value)'],
  ['[object Map]', 'use JSON.stringify([...map])'],
  ['[object Set]', 'use JSON.stringify([...set])'],
  ['[object Generator]', 'use JSON.stringify([...iterator])'],
  ['[object Array Iterator]', 'use JSON.stringify([...iterator])'],
];

// An agent cannot do anything with them.
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
