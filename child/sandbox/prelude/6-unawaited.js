// Diagnostics of requests that have no answer when the workflow completes: nothing uses their answers.

const MAX_UNAWAITED = 20; // as many as `UnhandledRejections` tracks
const MAX_DIGITS = 9; // of a line or a column
const raceOf = new WeakMap(); // by promise: the latest race that it was in
const recallRace = uncurry(WeakMap.prototype.get);
const rememberRace = uncurry(WeakMap.prototype.set);
const left = makeList(); // the ids that `leave` rejected

// Makes `Promise.race` and `Promise.any` note their promises and whether they are settled: one that lost was awaited.
function followRaces(name) {
  const native = NativePromise[name];
  const follow = {
    [name](promises) {
      return apply(native, this === NativePromise ? makeRace() : this, [promises]);
    },
  };
  setHidden(NativePromise, name, follow[name]);
}

// The constructor that a race uses in place of Promise (ECMA-262, 27.2.1.5): its promises report on the race.
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

// Rejects the first unanswered requests with their ids. A rejection without a handler shows that a request was never
// awaited, which only the engine knows. The run is over: no job follows, so no code of the workflow runs by it.
function leave() {
  const ids = keys(pending);
  leaveSome(ids, (type) => type !== 'sleep');
  leaveSome(ids, (type) => type === 'sleep'); // last, and only up to the maximum: a sleep costs nothing
}

function leaveSome(ids, isMeant) {
  for (let i = 0; i < ids.length && left.length < MAX_UNAWAITED; i++) {
    const entry = pending[ids[i]];
    if (!isMeant(entry.type) || lostItsRace(entry)) continue;
    if (!isOutstanding(ids[i])) continue;
    entry.reject(ids[i]);
    left[left.length] = ids[i];
  }
}

// `unheard` has the ids whose rejection has no handler, each between commas.
function noteLeft(unheard) {
  for (let i = 0; i < left.length; i++) noteUnawaited(left[i], indexOf(unheard, `,${left[i]},`) < 0);
}

function noteUnawaited(id, isAwaited) {
  const { error, type, about, label: given } = pending[id];
  const label = given && wholePairs(given);
  // A sleep that was started as a timeout is normally unanswered in the end.
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

// Where the author's file has the calls that have no answer, as JSON text.
function sites() {
  const ids = keys(pending);
  let text = '';
  for (let i = 0; i < ids.length; i++) {
    if (!isOutstanding(ids[i])) continue;
    const site = siteIn(textOf(readStack(pending[ids[i]].error)));
    text += `${text && ','}{"id":"${ids[i]}"${lineAndColumn(site)}${sourceOf(site)}}`;
  }
  return text;
}

// A text that was cut at MAX_ABOUT, without half of a surrogate pair at its end.
function wholePairs(text) {
  if (text.length < MAX_ABOUT) return text;
  const last = text[MAX_ABOUT - 1];
  return last >= '\ud800' && last <= '\udbff' ? slice(text, 0, MAX_ABOUT - 1) : text;
}

// A text on one line: runs of whitespace and control characters become one space.
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

// The line and column at the end of a site, as JSON members with a leading comma.
function lineAndColumn(site) {
  const column = digitsBefore(site, site.length - 1);
  const line = digitsBefore(site, site.length - column.length - 2);
  return line && column && `,"line":${+line},"column":${+column}`;
}

// The name of the source in a site that has a line and a column, as a JSON member with a leading comma.
function sourceOf(site) {
  const column = digitsBefore(site, site.length - 1);
  const line = digitsBefore(site, site.length - column.length - 2);
  if (!line || !column) return '';
  return `,"sourceName":${quote(slice(site, ' ('.length, site.length - line.length - column.length - '::)'.length))}`;
}

function digitsBefore(text, end) {
  let start = end;
  while (start > 0 && text[start - 1] >= '0' && text[start - 1] <= '9') start -= 1;
  return end - start <= MAX_DIGITS && start > 0 && text[start - 1] === ':' ? slice(text, start, end) : '';
}
