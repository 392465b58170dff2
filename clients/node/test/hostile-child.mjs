// A child that keeps to the contract but for one thing: node hostile-child.mjs WHAT [STEP].
// Steps: begin, initialize, start, drain, waiting, resolve, again, each before its answer.
import { closeSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [what, step] = process.argv.slice(2);
const LIMITS = Object.fromEntries([
  'memoryBytes', 'stackBytes', 'stepTimeoutMs', 'cpuSeconds', 'maxSleepMs', 'maxMessageBytes',
  'maxPendingRequests', 'maxQueuedBytes',
].map((name) => [name, 1000]));
const AGENT = { type: 'agent', id: '1', prompt: 'hello?' };
const LAYERS = [
  'memory', 'cpu', 'files', 'processes', 'core', 'descriptors', 'environment', 'capabilities', 'no_new_privs',
  'seccomp',
];
const layer = { applied: what !== 'open cage', detail: '' };
const RESULTS = {
  initialize: {
    protocolVersion: what === 'another version' ? '9.9' : '1.0',
    server: { name: 'hostile', version: '0' },
    engine: { name: 'none', version: '0' },
    limits: LIMITS,
    isolation: Object.fromEntries(LAYERS.map((name) => [name, layer])),
    maxMessageBytes: what === 'longer lines' ? 2 ** 40 : 8 * 1024 * 1024,
  },
  start: {},
  drain: { calls: [], requests: [AGENT], state: 'pending', later: ['unknown members are ignored'] },
  resolve: {},
  again: { calls: [], requests: [], state: 'complete', output: { result: 'done' } },
};
const DRAINS = {
  'one id twice': { requests: [AGENT, AGENT] },
  'a request without an id': { requests: [{ type: 'agent', prompt: 'p' }] },
  'a request of null': { requests: [null] },
  'a sleep of minus one': { requests: [{ type: 'sleep', id: '1', durationMs: -1 }] },
  'too many requests': { requests: Array.from({ length: 20 }, (_, number) => ({ ...AGENT, id: `${number}` })) },
  'too many calls': { calls: Array(100_000).fill({ type: 'log', values: [] }) },
  'calls that are no list': { calls: {} },
  'a state that there is not': { state: 'constructor' },
  'complete without output': { state: 'complete' },
  'a request of an unknown type': { requests: [{ type: 'toString', id: '1' }] },
  'a call of an unknown type': { calls: [{ type: 'toString' }] },
};

// These are instead of the right answer; the others come before it.
const INSTEAD = new Set([
  'an id as text', 'no id', 'null as id', 'a reply twice', 'another jsonrpc', 'result and error',
  'neither result nor error', 'an error without a kind', 'a batch', 'scalar', 'no UTF-8', 'a byte-order mark', 'wrong id',
  'too deep', 'too many values', 'a number too large',
]);

const write = (data) => new Promise((resolve) => process.stdout.write(data, resolve));
const line = (reply) => `${JSON.stringify({ jsonrpc: '2.0', ...reply })}\n`;

const DEEDS = {
  SIGKILL: () => process.kill(process.pid, 'SIGKILL'),
  SIGSEGV: () => process.kill(process.pid, 'SIGSEGV'),
  exit: () => process.exit(3),
  complain: () => process.stderr.write('\u001b[31mout of luck\u001b[0m', () => process.exit(1)),
  half: async (id) => { await write(line({ id, result: {} }).slice(0, 12)); process.exit(0); },
  silent: () => new Promise(() => { setInterval(() => {}, 1000); }),
  noise: () => write('hello there\n'),
  'close stdout': () => { closeSync(1); setInterval(() => {}, 1000); return new Promise(() => {}); },
  'wrong id': (id) => write(line({ id: id + 1, result: {} })),
  'an id as text': (id) => write(line({ id: String(id), result: {} })),
  'no id': () => write(line({ result: {} })),
  'null as id': () => write(line({ id: null, result: {} })),
  'a reply twice': async (id) => { const data = line({ id, result: RESULTS[step] }); await write(data + data); },
  'another jsonrpc': (id) => write(line({ id, jsonrpc: '1.0', result: {} })),
  'result and error': (id) => write(line({ id, result: {}, error: { code: 1, message: '', data: { kind: 'x' } } })),
  'neither result nor error': (id) => write(line({ id })),
  'an error without a kind': (id) => write(line({ id, error: { code: 1, message: 'm' } })),
  'a batch': (id) => write(`[${line({ id, result: {} }).trim()}]\n`),
  'a number too large': (id) => write(`{"jsonrpc":"2.0","id":${id},"result":{"later":[-1e999]}}\n`),
  scalar: () => write('42\n'),
  'no UTF-8': (id) => write(Buffer.from(line({ id, result: { text: '\u00ff' } }), 'latin1')),
  'a byte-order mark': (id) => write(`\ufeff${line({ id, result: RESULTS[step] })}`),
  'too deep': (id) => write(line({ id, result: { deep: 0 } }).replace(/0(?=}})/, '['.repeat(600) + ']'.repeat(600))),
  'too many values': (id) => write(line({ id, result: { many: 0 } }).replace(/0(?=}})/, `[${'[],'.repeat(1_100_000)}0]`)),
  'no newline': async () => { for (;;) await write('x'.repeat(1024 * 1024)); },
  'floods stderr': async () => { for (;;) await new Promise((done) => process.stderr.write('x'.repeat(65536), done)); },
};

async function answer(id, method) {
  if (method === step && DEEDS[what]) await DEEDS[what](id, method);
  if (method === step && INSTEAD.has(what)) return;
  const result = { ...RESULTS[method], ...(method === 'drain' ? DRAINS[what] : {}) };
  const data = Buffer.from(line({ id, result }));
  if (what !== 'byte by byte') await write(data);
  else for (const byte of data) await write(Buffer.of(byte));
}

if (step === 'begin') await DEEDS[what](1, step);
let drains = 0;
for await (const text of createInterface({ input: process.stdin })) {
  const { id, method } = JSON.parse(text);
  if (method === 'drain') drains += 1;
  await answer(id, method === 'drain' && drains > 1 ? 'again' : method);
  if (method === 'drain' && drains === 1 && step === 'waiting') await DEEDS[what](id, step);
}
