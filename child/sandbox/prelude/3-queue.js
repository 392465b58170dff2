// The queues of calls and requests, as JSON text, the promises that wait for answers, and the diagnostics.

const limits = { __proto__: null }; // by their names on the wire; `setLimits` fills them in
const pending = { __proto__: null };
const requestOf = new WeakMap(); // a request's type and id, by the error that it is rejected with
const ITEM_COST = 100; // of a queued item beside its text, against maxQueuedBytes (protocol/limits.py has the same)
const MAX_ABOUT = 80; // characters that are kept of what a request is about
const MAX_DIAGNOSTICS = 100;
const MAX_DIAGNOSTICS_TEXT = 262144;
let issued = 0;
let outstanding = 0;
let queued = 0;
let failure; // the first limit that the workflow has reached: it ends the run, also if the error is caught
let diagnosticsText = '';
let diagnosticsCount = 0;

function makeQueue() {
  return { __proto__: null, head: 0, tail: 0, items: makeList() };
}

const calls = makeQueue();
const requests = makeQueue();

function fail(kind, message) {
  if (failure === undefined) failure = { __proto__: null, kind, name: 'RangeError', message };
  throw new NativeRangeError(message);
}

function enqueue(queue, key, text) {
  if (failure !== undefined) throw new NativeRangeError(failure.message);
  queued += text.length + ITEM_COST;
  if (queued > limits.maxQueuedBytes) {
    fail('limit', `more than maxQueuedBytes (${limits.maxQueuedBytes}) of calls and requests between two messages`);
  }
  try {
    queue.items[queue.tail] = { __proto__: null, key, text };
  } catch (error) {
    queued -= text.length + ITEM_COST;
    throw error;
  }
  queue.tail += 1;
}

// The oldest item, or undefined. A request that was settled before it was taken is dropped.
function peek(queue) {
  while (queue.head < queue.tail) {
    const item = queue.items[queue.head];
    if (item.key === undefined || item.key in pending) return item;
    drop(queue, item);
  }
  return undefined;
}

function drop(queue, item) {
  queued -= item.text.length + ITEM_COST;
  queue.items[queue.head] = undefined;
  queue.head += 1;
  if (queue.head === queue.tail) {
    queue.items.length = 0;
    queue.head = 0;
    queue.tail = 0;
  }
}

function takeOne(queue) {
  const item = peek(queue);
  if (item === undefined) return '';
  drop(queue, item);
  return item.text;
}

function takeAll(queue) {
  let text = '';
  for (let item = takeOne(queue); item !== ''; item = takeOne(queue)) text += text === '' ? item : `,${item}`;
  return text;
}

// What one turn of a `replay` has queued: how many requests, the calls, the requests. '' where the run is not as usual
// (see `report`), or that is more than there is room for, and nothing is handed out.
function gather(room) {
  if (failure !== undefined || swallowedNull || outstanding === 0 || queued > room) return '';
  const count = countRequests();
  return `${count}\n${takeAll(calls)}\n${takeAll(requests)}`;
}

// How many requests `takeAll` would hand out.
function countRequests() {
  let count = 0;
  for (let i = requests.head; i < requests.tail; i++) if (requests.items[i].key in pending) count += 1;
  return count;
}

// Numbers a request, queues it, and returns the promise that `settle` settles. `about` and `label` name it in notes.
function issue(type, members, about = '', label = undefined) {
  if (outstanding >= limits.maxPendingRequests) {
    fail('limit', `more than maxPendingRequests (${limits.maxPendingRequests}) requests at once`);
  }
  // Created here, not when the promise is rejected, so that its stack shows the call.
  const error = new NativeError();
  const id = `${issued + 1}`;
  const entry = {
    __proto__: null, resolve: undefined, reject: undefined, promise: undefined, error, type, turn: 0,
    about: about.length > MAX_ABOUT ? slice(about, 0, MAX_ABOUT) : about,
    label: label !== undefined && label.length > MAX_ABOUT ? slice(label, 0, MAX_ABOUT) : label,
  };
  // Created before `pending` and the counters change: it can fail for want of memory or stack.
  const promise = new NativePromise((resolve, reject) => {
    entry.resolve = resolve;
    entry.reject = reject;
  });
  entry.promise = promise;
  pending[id] = entry; // if `enqueue` throws, the next request gets this id and replaces the entry
  enqueue(requests, id, `{"type":"${type}","id":"${id}"${members}}`);
  issued += 1;
  outstanding += 1;
  return promise;
}

// Whether a request was given this id and has no answer. The request that `enqueue` refused last has an entry, too.
const isOutstanding = (id) => id in pending && +id <= issued;

// Settles a request. It leaves `pending` last: where its answer fills the heap, the message that carries it is carried
// out again above the engine, and must find its request.
function settle(id, type, value) {
  const entry = pending[id];
  outstanding -= 1;
  if (type === 'error') {
    entry.reject(rejectionOf(entry, id, value));
  } else {
    entry.resolve(type === 'ok' ? value : undefined);
  }
  delete pending[id];
}

// The error of a request, which nobody has seen yet, with what is known of it.
function rejectionOf({ error, type }, id, message) {
  const request = freeze({ __proto__: null, type, id });
  lock(error, 'request', request, false);
  rememberRequest(requestOf, error, request);
  setHidden(error, 'message', message);
  setHidden(error, 'stack', authorFrames(textOf(readStack(error))));
  return error;
}

// Removes a request that was answered after the end of the run.
function forget(id) {
  delete pending[id];
}

const isNoteFull = () => diagnosticsCount >= MAX_DIAGNOSTICS;

// Adds a diagnostic for the workflow's author; `members` is JSON text of more members, with a leading comma.
function diagnose(kind, message, members = '') {
  if (isNoteFull()) return;
  const text = noteText(kind, message, members);
  diagnosticsCount += 1;
  if (diagnosticsText.length + text.length <= MAX_DIAGNOSTICS_TEXT) addNote(text);
}

const noteText = (kind, message, members) =>
  `{"kind":${quote(kind)},"message":${quote(message)}${members}}`;

function addNote(text) {
  diagnosticsText += `${diagnosticsText && ','}${text}`;
}
