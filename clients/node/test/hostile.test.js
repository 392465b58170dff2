import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import * as flowcage from '../index.js';
import { cpuMs, whyNotCaged } from '../lib/inspection.js';
import { AGES, RESULT, TRANSPORTS, fake, isAlive, spawned } from './support.js';

const { Child, ChildDied, ChildSilent, IsolationUnavailable, ProtocolViolation, run } = flowcage;

const OPTIONS = { isolation: 'none', agent: async () => 'hi', answerGraceMs: 300, limits: { stepTimeoutMs: 200 } };
const STEPS = ['begin', 'initialize', 'start', 'drain', 'waiting', 'resolve', 'again'];
const waiting = { agent: () => new Promise(() => {}) };

async function failure(open, t, scenario, options = {}) {
  const { transport, pids } = await open(t, fake(scenario));
  const error = await run('unused', { ...OPTIONS, transport, ...options }).then(
    ({ result }) => assert.fail(`it ended well: ${JSON.stringify(result)}`), (thrown) => thrown,
  );
  if (open === TRANSPORTS.process) assert.deepEqual(pids().filter(isAlive), []);
  return error;
}

// Over a socket, too, which tells less; whatever the transport, an older child is driven the same way.
const WAYS = [
  ...Object.entries(TRANSPORTS).map((transport) => [...transport, '']),
  ['process, from an older child', TRANSPORTS.process, AGES['an older child']],
];

for (const [name, open, age] of WAYS) {
  const isProcess = open === TRANSPORTS.process;

  test(`over a ${name}: replies that come byte by byte are whole`, async (t) => {
    const { transport } = await open(t, fake(`${age}byte-by-byte`));
    assert.equal((await run('unused', { ...OPTIONS, transport })).result, RESULT);
  });

  for (const step of STEPS) {
    for (const how of ['dies', 'exits-3', 'dies-in-line']) {
      test(`over a ${name}: a child that dies at ${step} (${how}) is told of`, async (t) => {
        const error = await failure(open, t, `${age}${step}/${how}`, step === 'waiting' ? waiting : {});
        assert.ok(error instanceof ChildDied, error);
        const expected = { dies: ['SIGKILL', null], 'exits-3': [null, 3], 'dies-in-line': [null, 0] }[how];
        assert.deepEqual([error.signal, error.exitCode], isProcess ? expected : [null, null]);
        assert.equal(error.childAlive, false);
      });
    }
    test(`over a ${name}: a stray print at ${step} is a violation`, async (t) => {
      const error = await failure(open, t, `${age}${step}/print`, step === 'waiting' ? waiting : {});
      assert.ok(error instanceof ProtocolViolation, error);
    });
  }

  for (const step of ['drain', 'resolve']) {
    test(`over a ${name}: a child that is silent at ${step} is killed`, async (t) => {
      assert.ok(await failure(open, t, `${age}${step}/silent`) instanceof ChildSilent);
    });
  }

  for (const what of [
    'wrong-id', 'id-text', 'no-id', 'id-of-null', 'answers-twice', 'other-jsonrpc', 'result-and-error',
    'neither-result-nor-error', 'error-without-kind', 'batch', 'scalar', 'invalid-utf-8', 'byte-order-mark',
    'nested', 'many-values', 'number-too-large', 'endless-line',
  ]) {
    test(`over a ${name}: ${what} is a violation`, async (t) => {
      const error = await failure(open, t, `${age}start/${what}`);
      assert.ok(error instanceof ProtocolViolation, error);
      assert.equal(error.childAlive, true);
    });
  }
}

for (const what of [
  'drain/same-id-twice', 'drain/request-without-id', 'drain/request-of-null', 'drain/sleep-below-zero',
  'drain/too-many-requests', 'drain/too-many-calls', 'drain/calls-that-are-no-list', 'drain/inherited-state',
  'drain/complete-without-output', 'initialize/other-version', 'initialize/longer-messages',
  'drain/id-left-out', 'drain/id-below-the-first', 'drain/stalled-and-waiting', 'drain/waits-for-nothing',
  'drain/more-and-a-result',
]) {
  for (const [child, age] of Object.entries(AGES)) {
    test(`${what} of ${child} is a violation`, async (t) => {
      const limits = { ...OPTIONS.limits, maxPendingRequests: 10 };
      const error = await failure(TRANSPORTS.process, t, `${age}${what}`, { ...waiting, limits });
      assert.ok(error instanceof ProtocolViolation, error);
    });
  }
}

for (const what of ['drain/internal-error', 'resolve/internal-error', 'again/settled-id']) {
  for (const [child, age] of Object.entries(AGES)) {
    test(`${what} of ${child} is a violation`, async (t) => {
      assert.ok(await failure(TRANSPORTS.process, t, `${age}${what}`) instanceof ProtocolViolation);
    });
  }
}

test('a child that had nothing of a busy machine is waited for longer than its CPU may take', async (t) => {
  const { transport } = await TRANSPORTS.process(t, fake('drain/late')); // its step: 200 ms, and 300 more
  assert.equal((await run('unused', { ...OPTIONS, transport })).result, RESULT);
});

test('the CPU of a process can be read while there is one', { skip: process.platform !== 'linux' }, () => {
  const before = cpuMs(process.pid);
  while (cpuMs(process.pid) < before + 50);
  assert.equal(cpuMs(2 ** 30), null);
  assert.equal(cpuMs(null), null);
});

for (const what of ['request', 'call']) {
  test(`a ${what} of a type that only a later version knows ends the run and is named`, async (t) => {
    const error = await failure(TRANSPORTS.process, t, `drain/inherited-${what}`);
    assert.ok(error instanceof ProtocolViolation);
    assert.match(error.message, /unknown type: toString$/);
  });
}

test('a call of a type that only a later version knows is handed to onOther', async (t) => {
  const { transport } = await TRANSPORTS.process(t, fake('drain/inherited-call'));
  const others = [];
  assert.equal((await run('unused', { ...OPTIONS, transport, onOther: (call) => others.push(call) })).result, RESULT);
  assert.deepEqual(others, [{ type: 'toString' }]);
});

test('a child that closes its stdout and lives on is killed', async (t) => {
  assert.match((await failure(TRANSPORTS.process, t, 'drain/closes-stdout')).message, /went on living/);
});

test('what a child said on stderr before it died is told, without escapes', async (t) => {
  const { exitCode, stderr } = await failure(TRANSPORTS.process, t, 'start/exits-3');
  assert.deepEqual([exitCode, stderr], [3, 'the reason']);
});

test('a child that floods stderr is stopped by its deadline', async (t) => {
  assert.ok(await failure(TRANSPORTS.process, t, 'drain/floods-stderr') instanceof ChildSilent);
});

test('a child that says more than a run may say in all is killed', async (t) => {
  const error = await failure(TRANSPORTS.process, t, 'good', { maxReceivedBytes: 500 });
  assert.ok(error instanceof flowcage.OutputExceeded);
});

test('a child that admits to an open cage gets no source', { skip: process.platform !== 'linux' }, async (t) => {
  const error = await failure(TRANSPORTS.process, t, 'good', { isolation: undefined });
  assert.match(error.message, /without isolation: memory/);
});

test('a child that claims a cage which the kernel does not confirm gets no source', { skip: process.platform !== 'linux' }, async (t) => {
  const error = await failure(TRANSPORTS.process, t, 'initialize/claims-a-cage', { isolation: undefined });
  assert.ok(error instanceof ProtocolViolation || error instanceof IsolationUnavailable);
  assert.match(error.message, /kernel does not confirm: \w+ is/);
});

test('one line of /proc that is off is enough', { skip: process.platform !== 'linux' }, () => {
  assert.match(whyNotCaged(readFileSync('/proc/self/status', 'latin1')), /^Seccomp is \d, not 2$/);
  assert.equal(whyNotCaged(''), 'Seccomp is missing, not 2');
});

// ---- the real child, killed from outside

for (const step of ['launched', 'initialized', 'started', 'waiting']) {
  for (const [name, open] of Object.entries(TRANSPORTS)) {
    test(`over a ${name}: the real child, killed when ${step}, is told of`, async (t) => {
      const { transport, kill } = await open(t);
      const child = await Child.open(transport);
      const steps = [
        ['launched', () => child.initialize()],
        ['initialized', () => child.start({ source: 'await agent("x"); for (;;);' })],
        ['started', () => child.drain()],
        ['waiting', () => child.resolve('1', { type: 'ok', value: 1 })],
      ];
      for (const [at, next] of steps) {
        if (at === step) break;
        await next();
      }
      kill();
      const error = await child.failed;
      assert.ok(error instanceof ChildDied);
      assert.equal(error.signal, name === 'process' ? 'SIGKILL' : null);
      await assert.rejects(child.drain(), ChildDied);
      await child.close();
    });
  }
}

test('requests that nobody waits for are no unhandled rejections', async () => {
  const { transport, kill } = spawned();
  const child = await Child.open(transport);
  child.initialize();
  child.start({ source: 'return 1' });
  child.drain();
  kill();
  await child.failed;
  await child.close();
});
