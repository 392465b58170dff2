// The realm as the workflow finds it: our globals in, everything that breaks determinism out.

function deny(name, message) {
  const denied = { [name]() { throw new NativeTypeError(message); } }[name];
  return freeze(denied);
}

function denyDynamicCode() {
  const samples = [function () {}, async function () {}, function* () {}, async function* () {}];
  for (let i = 0; i < samples.length; i++) {
    const prototype = getPrototypeOf(samples[i]);
    const { name } = prototype.constructor;
    lock(prototype, 'constructor', deny(name, `${name}() is disabled: workflows cannot make code from text`), false);
  }
}

const ABSENT = [
  'eval', 'Function', 'AsyncFunction', 'Date', 'WeakRef', 'FinalizationRegistry', 'performance',
  'fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'navigator', 'location',
  'Deno', 'Bun', 'process', 'require', 'Buffer', '__dirname', '__filename',
];

function harden() {
  denyDynamicCode();
  // By it, `await` tells a promise of the realm's from any other thenable.
  lock(NativePromise.prototype, 'constructor', NativePromise, false);
  // The engine compiles a template literal to a call of ''.concat.
  lock(NativeString.prototype, 'concat', NativeString.prototype.concat, false);
  lock(Math, 'random', deny('random', 'Math.random is disabled: a run must be repeatable'), false);
  delete NativeError.prepareStackTrace;
  // Plain data: the engine's setter would run a valueOf of the workflow wherever an error is made.
  setHidden(NativeError, 'stackTraceLimit', NativeError.stackTraceLimit);
  // Raw text may hold numbers that the wire refuses, and no other engine's workflows expect it.
  delete JSON.rawJSON;
  delete JSON.isRawJSON;
  for (let i = 0; i < ABSENT.length; i++) lock(globalThis, ABSENT[i], undefined, false);
}

const namespace = (members) => {
  const names = keys(members);
  for (let i = 0; i < names.length; i++) freeze(members[names[i]]);
  return freeze(members);
};

const extra = namespace({ sleep });
const sandbox = namespace({ exec });
const SW = namespace({ extra, sandbox });
let context;

function install(args) {
  const helpers = { args, agent, parallel, pipeline, workflow, budget, log, phase };
  const names = keys(helpers);
  for (let i = 0; i < names.length; i++) lock(globalThis, names[i], freeze(helpers[names[i]]));
  lock(globalThis, 'SW', SW);
  context = freeze({ ...helpers, extra, sandbox });
}
