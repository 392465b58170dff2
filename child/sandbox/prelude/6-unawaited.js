// Requests without an answer when the workflow completed: their author is told, for each was asked in vain.

const MAX_UNAWAITED = 20; // as many as `UnhandledRejections` tracks
const MAX_DIGITS = 9; // of a line or a column
const raceOf = new WeakMap(); // by promise: the latest race that it was in
const recallRace = uncurry(WeakMap.prototype.get);
const rememberRace = uncurry(WeakMap.prototype.set);
const left = makeList(); // the ids that `leave` rejected

// Has `Promise.race` and `Promise.any` note who takes part and whether it is decided: who loses was awaited.
function followRaces(name) {
  const native = NativePromise[name];
  const follow = {
    [name](promises) {
      return apply(native, this === NativePromise ? makeRace() : this, [promises]);
    },
  };
  setHidden(NativePromise, name, follow[name]);
}

// What a race takes for Promise (ECMA-262, 27.2.1.5): it makes such promises, and tells of the race.
function makeRace() {
  const race = { __proto__: null, isDecided: false };
  const decide = (settle) => (value) => {
    race.isDecided = true;
    settle(value);
  };
  function Racing(executor) {
    return new NativePromise((resolve, reject) => executor(decide(resolve), decide(reject)));
  }
  const { resolve } = NativePromise;
  lock(Racing, 'resolve', (item) => {
    const promise = apply(resolve, NativePromise, [item]);
    if (isObject(promise)) rememberRace(raceOf, promise, race);
    return promise;
  });
  return Racing;
}

const lostItsRace = (entry) => {
  const race = recallRace(raceOf, entry.promise);
  return race !== undefined && race.isDecided;
};

// Rejects the first requests without an answer with their ids. Whose rejection has no handler was never awaited, and
// only the engine knows. The run is over: no job follows, so that nothing of the workflow hears of it.
function leave() {
  const ids = keys(pending);
  leaveSome(ids, (type) => type !== 'sleep');
  leaveSome(ids, (type) => type === 'sleep'); // where there is room: it has cost nothing
}

function leaveSome(ids, isMeant) {
  for (let i = 0; i < ids.length && left.length < MAX_UNAWAITED; i++) {
    const entry = pending[ids[i]];
    if (!isMeant(entry.error.request.type) || lostItsRace(entry)) continue;
    if (+ids[i] > issued) continue; // the queue did not take it
    entry.reject(ids[i]);
    left[left.length] = ids[i];
  }
}

// `unheard` are the ids of those that no handler heard of, each between commas.
function noteLeft(unheard) {
  for (let i = 0; i < left.length; i++) noteUnawaited(left[i], indexOf(unheard, `,${left[i]},`) < 0);
}

function noteUnawaited(id, isAwaited) {
  const { error, about, label: given } = pending[id];
  const { type } = error.request;
  const label = given && wholePairs(given);
  // A sleep that was begun for a timeout is left behind in good order.
  if (isAwaited && type === 'sleep') return;
  const site = siteIn(textOf(readStack(error)));
  const name = `${type} request ${id} '${oneLine(label ?? wholePairs(about))}'${site}`;
  addNote(noteText('unawaited_request', isAwaited
    ? `${name} had no answer when the workflow completed: it is awaited by something that nobody awaits, `
      + 'or that was given up'
    : `${name} was never awaited: the workflow completed without its answer`,
  `,"type":"${type}","id":"${id}","awaited":${isAwaited}${label === undefined ? '' : `,"label":${quote(label)}`}`
    + lineAndColumn(site)));
}

// Without the half of a pair that was cut at the end.
function wholePairs(text) {
  if (text.length < MAX_ABOUT) return text;
  const last = text[MAX_ABOUT - 1];
  return last >= '\ud800' && last <= '\udbff' ? slice(text, 0, MAX_ABOUT - 1) : text;
}

// A text on one line.
function oneLine(text) {
  let line = '';
  let isApart = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] <= ' ') {
      isApart = line !== '';
    } else {
      line += isApart ? ` ${text[i]}` : text[i];
      isApart = false;
    }
  }
  return line;
}

// The place at the end of a site, as JSON members.
function lineAndColumn(site) {
  const column = digitsBefore(site, site.length - 1);
  const line = digitsBefore(site, site.length - column.length - 2);
  return line && column && `,"line":${+line},"column":${+column}`;
}

function digitsBefore(text, end) {
  let start = end;
  while (start > 0 && text[start - 1] >= '0' && text[start - 1] <= '9') start -= 1;
  return end - start <= MAX_DIGITS && start > 0 && text[start - 1] === ':' ? slice(text, start, end) : '';
}
