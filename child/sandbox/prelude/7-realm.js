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
    lockInherited(prototype, 'constructor', deny(name, `${name}() is disabled: ${adviceFor(name)}`));
  }
}

// Iterators over iterators call each other. Where the method is one of these natives the engine calls it without a look
// at the C stack, which some thirty thousand of them overflow; what is behind a proxy it calls like any function.
function boundIteratorDepth() {
  const wrapper = toIterator({ next() {} });
  const prototypes = [getPrototypeOf(wrapper), getPrototypeOf(mapIterator(wrapper, () => {}))];
  for (let i = 0; i < prototypes.length; i++) hideBehindProxies(prototypes[i], ['next', 'return']);
}

function hideBehindProxies(object, names) {
  for (let i = 0; i < names.length; i++) {
    setHidden(object, names[i], new NativeProxy(object[names[i]], freeze({ __proto__: null })));
  }
}

// Frames of the prelude are no business of the workflow: neither its own errors nor ours show them to it.
function hideOurFrames() {
  const { get, set } = getOwnPropertyDescriptor(NativeError.prototype, 'stack');
  const { captureStackTrace } = NativeError;
  const hiding = {
    get stack() {
      const stack = apply(get, this, []);
      return typeof stack === 'string' ? withoutOurFrames(stack) : stack;
    },
    captureStackTrace(object, caller) {
      apply(captureStackTrace, NativeError, [object, caller]);
      const stack = own(object, 'stack');
      if (typeof stack === 'string') setHidden(object, 'stack', `${authorFrames(stack)}\n`);
    },
  };
  defineProperty(NativeError.prototype, 'stack', {
    __proto__: null, get: getOwnPropertyDescriptor(hiding, 'stack').get, set, enumerable: false, configurable: true,
  });
  setHidden(NativeError, 'captureStackTrace', hiding.captureStackTrace);
}

const ABSENT_BUT_IN_THE_ENGINE = ['eval', 'Function'];

function harden() {
  denyDynamicCode();
  boundIteratorDepth();
  followRaces('race');
  followRaces('any');
  // By it, `await` tells a promise of the realm's from any other thenable.
  lockInherited(NativePromise.prototype, 'constructor', NativePromise);
  // The engine compiles a template literal to a call of ''.concat; a getter would be run for each.
  lock(NativeString.prototype, 'concat', NativeString.prototype.concat, false);
  lock(Math, 'random', deny('random', `Math.random is disabled: ${adviceFor('Math.random')}`), false);
  hideOurFrames();
  delete NativeError.prepareStackTrace;
  // Plain data: the engine's setter would run a valueOf of the workflow wherever an error is made.
  setHidden(NativeError, 'stackTraceLimit', NativeError.stackTraceLimit);
  // Raw text may hold numbers that the wire refuses, and no other engine's workflows expect it.
  delete JSON.rawJSON;
  delete JSON.isRawJSON;
  for (let i = 0; i < ABSENT_BUT_IN_THE_ENGINE.length; i++) delete globalThis[ABSENT_BUT_IN_THE_ENGINE[i]];
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
