// The functions that an author calls: agent, workflow, log, phase, sleep, exec, ask.

let currentPhase;
let budgetTotal = null;
let budgetSpent = 0;

const isPlain = (value) => typeof value === 'object' && value !== null && !isArray(value);

const agent = (prompt, options) => {
  if (typeof prompt !== 'string') {
    throw new NativeTypeError(`agent(prompt, options) takes a string as its prompt, not ${kindOf(prompt)}; `
      + 'write agent("What to do", { label: "short name" })');
  }
  const text = `,"prompt":${quote(prompt)}${agentOptions(options)}`;
  noteObjectsIn(prompt);
  return issue('agent', text, prompt, labelIn(options));
};

const labelIn = (options) => {
  const label = isObject(options) ? own(options, 'label') : undefined;
  return typeof label === 'string' ? label : undefined;
};

function agentOptions(options) {
  const filled = currentPhase === undefined ? '' : `"phase":${quote(currentPhase)}`;
  if (options === undefined || options === null) return filled && `,"options":{${filled}}`;
  const text = optionsText('agent(prompt, options)', options, AGENT_OPTIONS);
  noteUnknownOptions(options);
  const phaseText = filled === '' || hasOwn(parse(text), 'phase') ? '' : filled;
  if (text === '{}') return phaseText && `,"options":{${phaseText}}`;
  return `,"options":${phaseText ? `${slice(text, 0, -1)},${phaseText}}` : text}`;
}

// Unknown options are passed on, since a host may have its own, but noted: one may be misspelt.
const knownOptions = {
  __proto__: null, label: 1, phase: 1, schema: 1, model: 1, provider: 1, agentType: 1, isolation: 1,
  effort: 1, retry: 1, timeoutMs: 1, handle: 1, continue: 1,
};

function noteUnknownOptions(options) {
  const names = keys(options);
  for (let i = 0; i < names.length; i++) {
    if (names[i] in knownOptions) continue;
    knownOptions[names[i]] = 1; // one note for each name
    diagnose('unknown_option', `agent() has no option ${quote(names[i])}; it was passed on as it is`);
  }
}

function optionsText(call, options, root) {
  const text = isPlain(options) ? encode(options, root) : '';
  if (text[0] !== '{') throw new NativeTypeError(`${call} takes an object as its options, not ${kindOf(options)}`);
  return text;
}

const workflow = (ref, args) => {
  const path = isPlain(ref) ? own(ref, 'scriptPath') : undefined;
  if (typeof ref !== 'string' && typeof path !== 'string') {
    throw new NativeTypeError(
      `workflow(ref, args) takes a name or {scriptPath: "…"} as its ref, not ${kindOf(ref)}`);
  }
  const refText = typeof ref === 'string' ? quote(ref) : `{"scriptPath":${quote(path)}}`;
  const argsText = args === undefined ? '' : `,"args":${encode(args, WORKFLOW_ARGS)}`;
  return issue('workflow', `,"ref":${refText}${argsText}`, path ?? ref);
};

const log = (...values) => {
  let text = '';
  for (let i = 0; i < values.length; i++) text += `${i ? ',' : ''}${encode(values[i], i)}`;
  enqueue(calls, undefined, `{"type":"log","values":[${text}]}`);
};

const phase = (name, options) => {
  if (typeof name !== 'string') {
    throw new NativeTypeError(`phase(name, options) takes a string as its name, not ${kindOf(name)}`);
  }
  const given = options !== undefined && options !== null;
  const text = given ? optionsText('phase(name, options)', options, PHASE_OPTIONS) : '{}';
  enqueue(calls, undefined,
    `{"type":"phase","name":${quote(name)}${text === '{}' ? '' : `,"options":${text}`}}`);
  currentPhase = name;
};

const sleep = (ms) => {
  if (!isFinite(ms) || ms < 0) {
    throw new NativeTypeError('sleep(ms) requires a finite non-negative number');
  }
  const rounded = ceil(ms);
  if (rounded > limits.maxSleepMs) {
    throw new NativeRangeError('sleep(ms) duration exceeds the maximum allowed delay');
  }
  const text = encode(rounded);
  return issue('sleep', `,"durationMs":${text}`, `${text} ms`);
};

const exec = (profile, request) => {
  if (typeof profile !== 'string') {
    throw new NativeTypeError(`exec(profile, request) takes a string as its profile, not ${kindOf(profile)}`);
  }
  const command = isPlain(request) ? own(request, 'command') : undefined;
  if (typeof command !== 'string') {
    throw new NativeTypeError('exec(profile, request) takes {command, args?, cwd?, env?, stdin?} as its request');
  }
  let text = `"command":${quote(command)}`;
  text += execMember('args', own(request, 'args'), isStringArray, 'an array of strings');
  text += execMember('cwd', own(request, 'cwd'), isString, 'a string');
  text += execMember('env', own(request, 'env'), isStringRecord, 'an object of strings');
  text += execMember('stdin', own(request, 'stdin'), isString, 'a string');
  return issue('sandbox_exec', `,"profile":${quote(profile)},"request":{${text}}`, command);
};

function execMember(name, value, isRight, expected) {
  if (value === undefined || value === null) return '';
  // Checked again on the copy that crosses, because getters, traps and toJSON have run since.
  const text = isRight(value) ? encode(value) : 'null';
  if (!isRight(parse(text))) throw new NativeTypeError(`exec(): request.${name} must be ${expected}`);
  return `,"${name}":${text}`;
}

const ask = (question, options) => {
  if (typeof question !== 'string' || question === '') {
    throw new NativeTypeError(
      `ask(question, options) takes a text as its question, not ${question === '' ? 'an empty one' : kindOf(question)}`);
  }
  // All is read from the copy that crosses, which has no getters.
  const given = options === undefined || options === null
    ? {} : parse(optionsText('ask(question, options)', options, ASK_OPTIONS));
  refuseUnknown(given);
  const label = own(given, 'label');
  let text = `,"question":${quote(question)}`;
  text += askMember('schema', own(given, 'schema'), isSchema, 'a JSON Schema: an object, true or false', encode);
  text += askMember('choices', own(given, 'options'), areChoices, CHOICES, choicesText, 'options');
  text += askMember('label', label, isString, 'a string', encode);
  return issue('ask', text, question, label ?? undefined);
};

const CHOICES = 'a list of texts that are not empty, or of {label, value}, at least one';

function refuseUnknown(given) {
  const names = keys(given);
  for (let i = 0; i < names.length; i++) {
    if (names[i] !== 'schema' && names[i] !== 'options' && names[i] !== 'label') {
      throw new NativeTypeError(`ask(): there is no option ${quote(names[i])}; there are schema, options and label`);
    }
  }
}

function askMember(name, value, isRight, expected, textFor, option = name) {
  if (value === undefined || value === null) return '';
  if (!isRight(value)) throw new NativeTypeError(`ask(): options.${option} must be ${expected}`);
  return `,"${name}":${textFor(value)}`;
}

const isSchema = (value) => typeof value === 'boolean' || (isPlain(value) && !isArray(value));
const isLabel = (value) => typeof value === 'string' && value !== '';

function areChoices(value) {
  if (!isArray(value) || value.length === 0) return false;
  for (let i = 0; i < value.length; i++) {
    const one = value[i];
    if (!isLabel(one) && !(isPlain(one) && isLabel(own(one, 'label')) && hasOwn(one, 'value'))) return false;
  }
  return true;
}

function choicesText(choices) {
  let text = '';
  for (let i = 0; i < choices.length; i++) {
    const one = choices[i];
    const isText = typeof one === 'string'; // then the answer is the label
    text += `${text && ','}{"label":${quote(isText ? one : one.label)},"value":${encode(isText ? one : one.value)}}`;
  }
  return `[${text}]`;
}

const isString = (value) => typeof value === 'string';

function isStringArray(value) {
  if (!isArray(value)) return false;
  for (let i = 0; i < value.length; i++) if (typeof value[i] !== 'string') return false;
  return true;
}

function isStringRecord(value) {
  if (!isPlain(value)) return false;
  const names = keys(value);
  for (let i = 0; i < names.length; i++) if (typeof value[names[i]] !== 'string') return false;
  return true;
}

// The type of a value as error messages name it.
function kindOf(value) {
  if (value === null) return 'null';
  if (isArray(value)) return 'an array';
  if (typeof value === 'undefined') return 'undefined';
  if (typeof value === 'object' && prototypeOf(value) === NativePromise.prototype) return 'a promise';
  const article = typeof value === 'object' ? 'an' : 'a';
  return `${article} ${typeof value}`;
}

const budget = { __proto__: ObjectPrototype };
defineProperty(budget, 'total', {
  __proto__: null, get: () => budgetTotal, enumerable: true, configurable: false,
});
lock(budget, 'spent', freeze(() => budgetSpent));
lock(budget, 'remaining', freeze(() => {
  if (budgetTotal === null) return Infinity;
  return budgetSpent > budgetTotal ? 0 : budgetTotal - budgetSpent;
}));

function setBudget(text) {
  const snapshot = parse(text);
  budgetTotal = snapshot.total;
  budgetSpent = snapshot.spent;
}
