// Prepares the realm for a workflow: adds its globals, and removes what breaks determinism.

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

// Iterators over iterators call each other. Where the method is one of these natives, the engine calls it without a
// check of the C stack, which some thirty thousand of them overflow. A method behind a proxy is called like any
// function.
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

// Removes frames of the prelude from the stacks that a workflow can read, of its own errors and of the prelude's.
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
  // `await` recognises a promise of this realm by it, and does not read `then` of one.
  lockInherited(NativePromise.prototype, 'constructor', NativePromise);
  // The engine compiles a template literal to a call of ''.concat, which a workflow could replace.
  lock(NativeString.prototype, 'concat', NativeString.prototype.concat, false);
  lock(Math, 'random', deny('random', `Math.random is disabled: ${adviceFor('Math.random')}`), false);
  hideOurFrames();
  delete NativeError.prepareStackTrace;
  // As plain data: the engine's setter would make it run a valueOf of the workflow where an error is created.
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

const extra = namespace({ sleep, ask });
const sandbox = namespace({ exec });
const SW = namespace({ extra, sandbox });
let context;

// Adds the globals. `args` gets its place among them, and its value from `install`.
function addGlobals() {
  defineProperty(globalThis, 'args', {
    __proto__: null, value: undefined, enumerable: true, writable: false, configurable: true,
  });
  const helpers = { agent, parallel, pipeline, workflow, budget, log, phase };
  const names = keys(helpers);
  for (let i = 0; i < names.length; i++) lock(globalThis, names[i], freeze(helpers[names[i]]));
  lock(globalThis, 'SW', SW);
}

function install(args) {
  lock(globalThis, 'args', args);
  context = freeze({ args, agent, parallel, pipeline, workflow, budget, log, phase, extra, sandbox });
}
