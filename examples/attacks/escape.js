// Looks for code made from text, for files and for the clock, and finds none. Verdict: failed, exit status 1.
const found = [];
for (const f of [function () {}, async function () {}, function* () {}, agent]) {
  try { found.push(f.constructor('return globalThis')()); } catch (error) { found.push(error.name); }
}
log(found, typeof require, typeof process, typeof Date, typeof fetch);
await import('fs');
