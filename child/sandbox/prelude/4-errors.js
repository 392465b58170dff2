// What a thrown value says about itself. Its getters may run, throw or loop: that is the workflow's time.

const MAX_TEXT = 16384;

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

function asText(value) {
  if (typeof value === 'string') return textOf(value);
  try {
    return slice(isObject(value) ? encode(value) : NativeString(value), 0, MAX_TEXT);
  } catch {
    return 'a value that cannot be shown';
  }
}

// One line about a thrown value.
function brief(reason) {
  return (isObject(reason) && property(reason, 'message')) || asText(reason);
}

// A stack without our frames and the engine's: what is left names the author's file.
function authorFrames(stack) {
  let kept = '';
  for (let start = 0; start < stack.length;) {
    const found = indexOf(stack, '\n', start);
    const end = found < 0 ? stack.length : found;
    const line = slice(stack, start, end);
    const foreign = line === '' || indexOf(line, '(flowcage:') >= 0 || indexOf(line, '(native)') >= 0;
    if (!foreign) kept += `${kept && '\n'}${line}`;
    start = end + 1;
  }
  return kept;
}

// {"name", "message", "stack"} of a thrown value as JSON text; name is null where an error was not thrown.
function describe(reason) {
  const named = isObject(reason) && property(reason, 'name');
  const stack = isObject(reason) ? authorFrames(property(reason, 'stack')) : '';
  return `{"name":${named ? quote(named) : 'null'},"message":${quote(brief(reason))},"stack":${quote(stack)}}`;
}

// The engine throws null where it has no memory left for an Error.
let swallowedNull = false;

// An error that became null. The engine's own end of memory is none to go on after.
function swallowed(helper, index, error) {
  if (isObject(error) && own(error, 'message') === 'out of memory' && failure === undefined) {
    failure = { __proto__: null, kind: 'memory', name: 'InternalError', message: 'out of memory' };
  }
  if (error === null) swallowedNull = true;
  diagnose('swallowed_error', `${helper}()[${index}] became null: ${brief(error)}`,
    `,"helper":"${helper}","index":${index},"error":${describe(error)}`);
}
