// Names that scripts written for other runtimes use and that are absent here, with what to do instead. None is a
// property of the global object: `typeof Date` is 'undefined', and `Date` a ReferenceError that names it.
//
// The only list of them: error messages and the table in docs/sandbox.md come from it. A test parses it as text, so its
// form is fixed: pairs of strings in single quotes, names separated by spaces.
const ABSENT = [
  ['Date performance Temporal', 'a workflow has no clock; pass the time in args'],
  ['Math.random crypto', 'a run must be repeatable; pass a seed in args, or vary by index'],
  ['setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate',
    'to wait, await SW.extra.sleep(ms)'],
  ['fetch XMLHttpRequest WebSocket EventSource Request Response Headers FormData Blob',
    'a workflow has no network; have an agent fetch it, or pass it in args'],
  ['process Deno Bun __dirname __filename',
    'a workflow has no files, programs or environment; pass data in args, or have an agent do it'],
  ['require', 'a workflow has no packages; import a file beside it, or have an agent do it'],
  ['module exports', 'a workflow is no CommonJS module; end it with return or export default'],
  ['eval Function AsyncFunction GeneratorFunction AsyncGeneratorFunction ShadowRealm WebAssembly Worker',
    'workflows cannot make code from text; write functions (typeof f === "function" tells one)'],
  ['Buffer ArrayBuffer SharedArrayBuffer DataView Atomics TextEncoder TextDecoder btoa atob',
    'there are no bytes here; use strings and arrays of numbers'],
  ['Uint8Array Int8Array Uint8ClampedArray Uint16Array Int16Array Uint32Array Int32Array Float16Array',
    'there are no typed arrays here; use an array of numbers'],
  ['Float32Array Float64Array BigInt64Array BigUint64Array',
    'there are no typed arrays here; use an array of numbers'],
  ['console print alert', 'to tell the host something, use log(…)'],
  ['structuredClone', 'to copy plain data, use JSON.parse(JSON.stringify(value))'],
  ['URL URLSearchParams', 'take addresses apart with split() or a regular expression'],
  ['Intl', 'there are no locales here; format by hand, or have an agent do it'],
  ['AbortController AbortSignal Event EventTarget',
    'a call cannot be cancelled from inside; give agent() a timeoutMs'],
  ['WeakRef FinalizationRegistry', 'garbage collection cannot be observed here; use a Map'],
  ['string number boolean any unknown', 'this is a type of TypeScript; compile the file to JavaScript first'],
  ['window self global document navigator location',
    'this is no browser and no Node.js; the global object is globalThis'],
];

const KNOWN_GLOBALS = 'the globals of a workflow are args, budget, agent, workflow, parallel, pipeline, phase, log, SW';

// What to do instead of using an absent name; '' for a name that is not in the list.
function adviceFor(name) {
  for (let i = 0; i < ABSENT.length; i++) {
    if (indexOf(` ${ABSENT[i][0]} `, ` ${name} `) >= 0) return ABSENT[i][1];
  }
  return '';
}

const NOT_DEFINED = ' is not defined';

// What to add to the engine's message for a name that does not exist; '' for any other message.
function hint(message) {
  const end = indexOf(message, NOT_DEFINED);
  if (end < 0 || end + NOT_DEFINED.length !== message.length) return '';
  const advice = adviceFor(slice(message, 0, end));
  return `${advice && `: ${advice}`}; ${KNOWN_GLOBALS}`;
}
