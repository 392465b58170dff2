// The functions that Python calls (`sandbox/realm.py`). Strings in, strings out; begin and adopt take and return
// values.

const isThenable = (value) => isObject(value) && typeof value.then === 'function'
  && value.then !== own(ObjectPrototype, 'then');

const bridge = {
  __proto__: null,

  setLimits(text) {
    const given = parse(text);
    const names = keys(given);
    for (let i = 0; i < names.length; i++) limits[names[i]] = given[names[i]];
  },

  install(argsText, budgetText) {
    setBudget(budgetText);
    install(deepFreeze(parse(argsText)));
  },

  // The value of the default export; where that is a function, what it returns.
  begin(exports) {
    const entry = exports.default;
    return typeof entry === 'function' ? entry(context.args, context) : entry;
  },

  // A promise for a thenable; undefined for a value that needs no waiting.
  adopt: (value) => (isThenable(value) ? new NativePromise((resolve) => resolve(value)) : undefined),

  hasDefault: (exports) => 'default' in exports,

  // The exported names of a module.
  names(exports) {
    const names = ownKeys(exports);
    let text = '';
    for (let i = 0; i < names.length; i++) {
      if (typeof names[i] === 'string') text += `${text && ','}${quote(names[i])}`;
    }
    return `[${text}]`;
  },
  encode,
  encodeResult,
  describe,
  summarize,
  where,
  isOutstanding,
  settleTurn,
  openReplay,
  settleNext,
  forgetTurn,
  openRun,
  settle: (id, type, text) => settle(id, type, parse(text)),
  forget,
  leave,
  noteLeft,
  gather,
  countRequests: () => `${countRequests()}`,
  sites,
  setBudget,
  refuseImport(specifier, frame, why) {
    const error = new NativeTypeError(`workflow imports are restricted: ${quote(specifier)} ${why}`);
    setHidden(error, 'stack', frame);
    return error;
  },

  // The limit that ended the run, whether a helper swallowed a null, and how many requests have no answer.
  status: () => `[${failure === undefined ? 'null' : stringify(failure)},${swallowedNull},${outstanding}]`,

  // The result of a drain, and what is queued is handed out; where the run is complete, up to its output. '' where the
  // run is not as usual, and nothing is handed out: a limit was reached, an error may be lost, the run is stalled, or it
  // is complete and has left requests.
  report(isComplete) {
    if (failure !== undefined || swallowedNull || (outstanding === 0) !== isComplete) return '';
    return `{"calls":[${takeAll(calls)}],"requests":[${takeAll(requests)}],"state":${
      isComplete ? '"complete","output":{"result":' : '"pending"}'}`;
  },

  nextCall: () => takeOne(calls),
  nextRequest() {
    const item = peek(requests);
    return item === undefined ? '' : item.text;
  },
  takeCalls: () => takeAll(calls),
  takeRequests: () => takeAll(requests),
  diagnostics: () => diagnosticsText,
  diagnose,
};

// At the realm's creation, not at `install`: a zygote does it once for all of its children.
harden();
addGlobals();
