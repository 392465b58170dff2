// Describes thrown values. Their getters may run, throw or loop, within the time of the step.

const MAX_TEXT = 8192;

function textOf(value) {
  return typeof value === 'string' ? slice(value, 0, MAX_TEXT) : '';
}

function property(value, name) {
  try {
    return textOf(value[name]);
  } catch {
    return '';
  }
}

// Above it, BigInts are not written in decimal: that takes seconds in which the engine does not poll.
const LARGE = 1n << 64n;

function asText(value) {
  if (typeof value === 'string') return textOf(value);
  if (typeof value === 'bigint' && (value > LARGE || value < -LARGE)) return 'a large BigInt';
  try {
    return slice(isObject(value) ? encode(value) : NativeString(value), 0, MAX_TEXT);
  } catch {
    return 'a value that cannot be shown';
  }
}

// One line about a thrown value.
function brief(reason) {
  if (!isObject(reason)) return asText(reason);
  return property(reason, 'message') || (isError(reason) && property(reason, 'name')) || asText(reason);
}

// A stack without frames of the prelude and of the engine: what is left names the author's file.
const authorFrames = (stack) => framesWithout(stack, isForeignFrame);

// A stack without frames of the prelude, with the newline that the engine puts after each frame.
const withoutOurFrames = (stack) => {
  const kept = framesWithout(stack, isOurFrame);
  return kept && `${kept}\n`;
};

const isOurFrame = (line) => line === '' || indexOf(line, '(flowcage:') >= 0;
const isForeignFrame = (line) => isOurFrame(line) || indexOf(line, '(native)') >= 0;

function framesWithout(stack, isLeftOut) {
  let kept = '';
  for (let start = 0; start < stack.length;) {
    const found = indexOf(stack, '\n', start);
    const end = found < 0 ? stack.length : found;
    const line = slice(stack, start, end);
    if (!isLeftOut(line)) kept += `${kept && '\n'}${line}`;
    start = end + 1;
  }
  return kept;
}

// The author's frames of the current stack.
const where = () => authorFrames(textOf(readStack(new NativeError())));

const MAX_CAUSES = 8;
const MAX_DESCRIBED = 32; // errors in one description, whose causes and parts can have their own
const NOT_SHOWN = '{"name":null,"message":"a value that cannot be shown","stack":""}';

// {"name", "message", "stack"} of a thrown value as JSON text; name is null where an error was not thrown.
// Also its "cause", an AggregateError's "errors", and the "request" whose rejection it is.
function describe(reason) {
  try {
    return describeAll(reason, 0, { __proto__: null, left: MAX_DESCRIBED });
  } catch {
    return NOT_SHOWN; // a proxy whose traps throw, or no memory
  }
}

function describeAll(reason, depth, budget) {
  budget.left -= 1;
  if (!isObject(reason)) return `{"name":null,"message":${quote(brief(reason))},"stack":""}`;
  const name = property(reason, 'name');
  const stack = authorFrames(property(reason, 'stack'));
  const said = brief(reason);
  const message = name === 'ReferenceError' ? said + hint(said) : said;
  let text = `{"name":${name ? quote(name) : 'null'},"message":${quote(message)}`;
  text += `,"stack":${quote(stack)}`;
  if (depth < MAX_CAUSES) text += describeCause(reason, depth, budget) + describeErrors(reason, depth, budget);
  return `${text}${describeRequest(reason)}}`;
}

function describeCause(reason, depth, budget) {
  const cause = own(reason, 'cause');
  if (cause === undefined || budget.left <= 0) return '';
  return `,"cause":${describeAll(cause, depth + 1, budget)}`;
}

function describeErrors(reason, depth, budget) {
  const errors = own(reason, 'errors');
  if (!isArray(errors)) return '';
  let text = '';
  for (let i = 0; i < errors.length && i < MAX_CAUSES && budget.left > 0; i++) {
    text += `${text && ','}${describeAll(own(errors, i), depth + 1, budget)}`;
  }
  return `,"errors":[${text}]`;
}

function describeRequest(reason) {
  const request = recallRequest(requestOf, reason);
  return request === undefined ? '' : `,"request":{"type":"${request.type}","id":"${request.id}"}`;
}

// Whether a helper has swallowed a null, which the engine throws where it has no memory for an Error.
let swallowedNull = false;

const isOutOfMemory = (error) => isError(error) && getPrototypeOf(error) === InternalErrorPrototype
  && own(error, 'message') === 'out of memory';

// One line about a reason, without running code of the workflow: the run may be over.
function summarize(reason) {
  if (!isError(reason)) return isObject(reason) ? 'an object' : asText(reason);
  const message = textOf(own(reason, 'message'));
  if (message === '') return 'an error';
  return getPrototypeOf(reason) === ReferenceErrorPrototype ? message + hint(message) : message;
}

// Notes an error that became null. An out-of-memory error of the engine ends the run, too.
function noteSwallowedError(helper, index, error) {
  if (failure === undefined && isOutOfMemory(error)) {
    failure = { __proto__: null, kind: 'memory', name: 'InternalError', message: 'out of memory' };
  }
  if (error === null) swallowedNull = true;
  if (isNoteFull()) return;
  diagnose('swallowed_error', `${helper}()[${index}] became null: ${summarize(error)}`,
    `,"helper":"${helper}","index":${index},"error":${describe(error)}`);
}

const MAX_ALL_FAILED = 20;
let allFailedCount = 0;

// Notes a call of which every part failed, also where the notes are full: those errors have filled them.
function allFailed(helper, count) {
  if (allFailedCount >= MAX_ALL_FAILED) return;
  allFailedCount += 1;
  addNote(noteText('all_failed', `${helper}() has no result but null: all ${count} failed`,
    `,"helper":"${helper}","count":${count}`));
}
