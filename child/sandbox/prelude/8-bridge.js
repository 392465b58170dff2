// The functions that Python calls (`sandbox/realm.py`). Strings in, strings out; begin and adopt take and return
// values.

const isThenable = (value) => isObject(value) && typeof value.then === 'function'
  && value.then !== own(ObjectPrototype, 'then');

const bridge = {
  __proto__: null,

  install(argsText, budgetText, limitsText) {
    const given = parse(limitsText);
    const names = keys(given);
    for (let i = 0; i < names.length; i++) limits[names[i]] = given[names[i]];
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
  settle,
  forget,
  leave,
  noteLeft,
  setBudget,
  refuseImport(specifier, frame) {
    const error = new NativeTypeError('workflow imports are restricted: '
      + `${quote(specifier)} is neither workflow:extra nor workflow:sandbox; a workflow is one file: `
      + 'write into it what it needs, or pass it in args');
    setHidden(error, 'stack', frame);
    return error;
  },

  // How many ids were given out, the limit that ended the run, and whether a helper swallowed a null.
  status: () => `[${issued},${failure === undefined ? 'null' : stringify(failure)},${swallowedNull}]`,

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
