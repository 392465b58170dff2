// What bench/embed.py times from Node: node bench/embed.mjs run|trip COUNT command WORD... | socket PATH
// Prints one time in milliseconds per line.
import { connect, run, spawnChild } from '../clients/node/index.js';

const [what, count, how, ...where] = process.argv.slice(2);
const transport = how === 'socket' ? connect(where[0]) : spawnChild({ command: where });
const TRIPS = 200;
const [source, each] = what === 'run'
  ? ['export default 1', 1]
  : [`for (let i = 0; i < ${TRIPS}; i++) await agent('x'); return 1`, TRIPS];

let mark = 0;
const agent = () => {
  mark ||= performance.now(); // from the first request on: the start of the child is not part of a round trip
  return 'y';
};
for (let number = -2; number < Number(count); number += 1) { // two to warm up
  mark = what === 'run' ? performance.now() : 0;
  await run(source, { transport, agent });
  if (number >= 0) console.log((performance.now() - mark) / each);
}
