import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import * as flowcage from '../index.js';
import { CHILD, OLDER_CHILD, TRANSPORTS, example, isAlive, spawned } from './support.js';

const { run } = flowcage;

for (const [name, open] of Object.entries(TRANSPORTS)) {
  test(`over a ${name}: agents, logs, phases, sleeps and programs are answered`, async (t) => {
    const { transport } = await open(t);
    const seen = [];
    const source = `
      phase('Ask', { detail: 'two' });
      log('asking', args.names.length);
      const answers = await parallel(args.names.map((name) => () => agent('Hello ' + name, { label: name })));
      await SW.extra.sleep(5);
      const program = await SW.sandbox.exec('build', { command: 'make', args: ['test'] });
      return { answers, program, spent: budget.spent(), undefined: (await agent('nothing')) === undefined };`;
    const budget = { total: 100, spent: 0 };
    const outcome = await run(source, {
      transport,
      args: { names: ['Ada', 'Łukasz'] },
      budget,
      sourceName: 'ask.js',
      agent: async (prompt, options, request) => {
        seen.push([prompt, options, request.id, request.signal.aborted]);
        budget.spent += 3;
        return prompt === 'nothing' ? undefined : prompt.toUpperCase();
      },
      sandboxExec: (profile, { command, args }) => [profile, command, ...args].join(' '),
      onLog: (values) => seen.push(values),
      onPhase: (...phase) => seen.push(phase),
    });
    assert.deepEqual(outcome.result, {
      answers: ['HELLO ADA', 'HELLO ŁUKASZ'], program: 'build make test', spent: 6, undefined: true,
    });
    assert.deepEqual(seen, [
      ['Ask', { detail: 'two' }],
      ['asking', 2],
      ['Hello Ada', { label: 'Ada', phase: 'Ask' }, '1', false],
      ['Hello Łukasz', { label: 'Łukasz', phase: 'Ask' }, '2', false],
      ['nothing', { phase: 'Ask' }, '5', false],
    ]);
    assert.deepEqual([outcome.logs, outcome.phases, outcome.usage.requests], [[['asking', 2]], ['Ask'], 5]);
  });

  test(`over a ${name}: twenty runs at once do not mix`, async (t) => {
    const { transport, pids } = await open(t);
    const one = async (number) => (await run('return [args, await agent("n"), await agent("m")]', {
      transport, args: number, agent: async (prompt) => `${prompt}${number}`,
    })).result;
    const results = await Promise.all(Array.from({ length: 20 }, (_, number) => one(number)));
    assert.deepEqual(results, results.map((_, number) => [number, `n${number}`, `m${number}`]));
    assert.equal(new Set(pids()).size, 20);
  });

  test(`over a ${name}: big values and any Unicode cross unharmed`, async (t) => {
    const { transport } = await open(t);
    const text = '\u0000\u2028\u2029\u0085\r "\\ é 漢 😀 \ud800 x\udc00';
    const big = 'ß😀'.repeat(500_000);
    const { result } = await run('return [args, await agent(args), (await agent("big")).length, await agent("big")]', {
      transport, args: text, agent: (prompt) => (prompt === 'big' ? big : prompt),
    });
    assert.deepEqual(result, [text, text, big.length, big]);
  });

  test(`over a ${name}: aborting ends a run at once, and its child`, async (t) => {
    const { transport, pids } = await open(t);
    const controller = new AbortController();
    const reason = new Error('enough');
    let handlersSignal;
    const running = run('return await agent("x")', {
      transport,
      signal: controller.signal,
      agent: (_prompt, _options, { signal }) => {
        handlersSignal = signal;
        controller.abort(reason);
        return new Promise(() => {});
      },
    });
    const error = await running.catch((thrown) => thrown);
    assert.ok(error instanceof flowcage.AbortError);
    assert.deepEqual([error.name, error.code, error.cause, error.childAlive], ['AbortError', 'ABORT_ERR', reason, true]);
    assert.equal(handlersSignal.aborted, true);
    if (name === 'process') assert.equal(isAlive(pids()[0]), false);
  });

  test(`over a ${name}: a workflow that spins is ended by the run's own limit`, async (t) => {
    const { transport } = await open(t);
    const error = await run('for (;;);', { transport, timeoutMs: 500 }).catch((thrown) => thrown);
    assert.ok(error instanceof flowcage.TimedOut, error);
  });
}

test('a run that is aborted before it begins starts no child', async () => {
  const { transport, pids } = spawned();
  await assert.rejects(run('return 1', { transport, signal: AbortSignal.abort() }), flowcage.AbortError);
  assert.deepEqual(pids(), []);
});

test('a child that ended well is gone when the run is', async () => {
  const { transport, pids } = spawned();
  assert.equal((await run('return 1', { transport })).result, 1);
  assert.equal(isAlive(pids()[0]), false);
});

const FAILURES = {
  exception: 'const f = () => { throw new TypeError("no"); }; f();',
  syntax: 'return ((',
  import: 'import "node:fs"; return 1',
  timeout: 'for (;;);',
  stack: 'const f = () => 1 + f(); return f();',
  memory: 'const a = []; for (;;) a.push(new Array(1e5).fill(1));',
  serialization: 'const a = {}; a.a = a; return a;',
};
for (const [kind, source] of Object.entries(FAILURES)) {
  test(`a workflow's own ${kind} failure is told by its kind`, async () => {
    const limits = { memoryBytes: 2 ** 24, stepTimeoutMs: kind === 'timeout' ? 300 : 20_000 };
    const error = await run(source, { ...spawned(), limits }).catch((thrown) => thrown);
    assert.ok(error instanceof flowcage.WorkflowFailed, error);
    assert.deepEqual([error.kind, error.data.kind, error.childAlive], [kind, kind, true]);
    if (kind === 'exception') assert.match(error.workflowStack, /workflow\.js:1:\d+/);
  });
}

test('what was logged before a failure is in its report', async () => {
  const error = await run('log(1); log(2); throw new Error("x")', spawned()).catch((thrown) => thrown);
  assert.deepEqual(error.report.logs, [[1], [2]]);
});

test('a workflow that can never finish has stalled', async () => {
  await assert.rejects(run('await new Promise(() => {})', spawned()), flowcage.WorkflowStalled);
});

test('a request that nobody answers is rejected, and RequestRejected rejects one', async () => {
  const said = (code) => `await ${code}.catch((error) => error.message)`;
  const source = `return [${said('workflow("w")')}, ${said('SW.sandbox.exec("p", { command: "c" })')}, ${said('agent("a")')}]`;
  const agent = () => { throw new flowcage.RequestRejected('not today'); };
  const { result } = await run(source, { ...spawned(), agent });
  assert.deepEqual(result, [
    'this host answers no workflow requests', 'this host answers no sandbox_exec requests', 'not today',
  ]);
});

test('a handler that throws anything else ends the run with it as the cause', async () => {
  const cause = new TypeError('oops');
  const error = await run('return await agent("a")', { ...spawned(), agent: async () => { throw cause; } })
    .catch((thrown) => thrown);
  assert.ok(error instanceof flowcage.HandlerFailed);
  assert.equal(error.cause, cause);
});

test('a listener that throws ends the run', async () => {
  const onLog = () => { throw new Error('full'); };
  await assert.rejects(run('log(1)', { ...spawned(), onLog }), flowcage.HandlerFailed);
});

test('an async listener that rejects ends the run', async () => {
  const onLog = async () => { throw new Error('full'); };
  const agent = (prompt, options, { signal }) => new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason)); });
  await assert.rejects(run("log(1); return agent('x')", { ...spawned(), onLog, agent }), flowcage.HandlerFailed);
});

test('what JSON makes nothing of is null, and as args it cannot be sent', async () => {
  const agent = () => ({ toJSON() {} });
  assert.equal((await run("return agent('x')", { ...spawned(), agent })).result, null);
  await assert.rejects(run('return 1', { ...spawned(), args: () => 1 }), flowcage.CannotSend);
});

const UNSENDABLE = {
  'a cycle': () => { const a = []; a.push(a); return a; },
  'a BigInt': () => 1n,
  'a function': () => () => {},
  'nine million bytes': () => 'x'.repeat(9_000_000),
  'too deep a value': () => JSON.parse('['.repeat(600) + ']'.repeat(600)),
};
for (const [what, agent] of Object.entries(UNSENDABLE)) {
  test(`an answer that is ${what} rejects its request, and the run goes on`, async () => {
    const { result } = await run('return await agent("a").catch((error) => error.message)', { ...spawned(), agent });
    assert.match(result, /^the host's answer cannot be sent: /);
  });
  test(`args that are ${what} cannot be sent`, { skip: what === 'a function' && 'JSON leaves it out' }, async () => {
    await assert.rejects(run('return 1', { ...spawned(), args: agent() }), flowcage.CannotSend);
  });
}

for (const [child, command] of Object.entries({ 'a child': CHILD, 'an older child': OLDER_CHILD })) {
  const answering = (agent, more) => ({ ...spawned(command), agent, ...more });

  test(`${child}: answers reach the calls that they are for, however they come`, async () => {
    const source = `
      const all = await parallel(args.map((n) => () => agent(n)));
      return [all, await agent('last'), budget.spent()];`;
    const agent = async (prompt) => {
      await new Promise((resolve) => { setTimeout(resolve, prompt === 'a' ? 20 : 0); });
      return prompt.toUpperCase();
    };
    const { result } = await run(source, answering(agent, { args: ['a', 'b', 'c'], budget: { total: 9, spent: 2 } }));
    assert.deepEqual(result, [['A', 'B', 'C'], 'LAST', 2]);
  });

  test(`${child}: answers that are too long for one line together go out alone`, async () => {
    const source = 'return (await parallel(Array.from({ length: 9 }, () => () => agent("a")))).map((a) => a.length)';
    const limits = { maxMessageBytes: 50_000 };
    const { result } = await run(source, answering(() => 'x'.repeat(20_000), { limits }));
    assert.deepEqual(result, Array(9).fill(20_000));
  });

  test(`${child}: of answers that come together, one that is no JSON rejects its own request`, async () => {
    const source = 'return await Promise.all([1, 2, 3].map((n) => agent(`${n}`).catch((error) => error.message)))';
    const { result } = await run(source, answering((prompt) => (prompt === '2' ? 2n : prompt)));
    assert.deepEqual([result[0], result[2]], ['1', '3']);
    assert.match(result[1], /^the host's answer cannot be sent: /);
  });

  test(`${child}: failures before, in and after the first drain are told`, async () => {
    const asking = answering(() => 1);
    await assert.rejects(run('return 1 +;', asking), { kind: 'syntax' });
    await assert.rejects(run('throw new Error("at once")', asking), { kind: 'exception' });
    const late = await run('log(1); await agent("x"); log(2); throw new Error("late")', asking).catch((error) => error);
    assert.deepEqual([late.kind, late.report.logs], ['exception', [[1], [2]]]);
  });
}

test('a child that names run and advance is sent half of the messages', async () => {
  const messages = async (command) => (await run('return await agent("a")', { ...spawned(command), agent: () => 1 })).usage.messages;
  assert.deepEqual([await messages(CHILD), await messages(OLDER_CHILD)], [2 * 3, 2 * 5]);
});

test('by hand: run and advance, where methods has them', async () => {
  const child = await flowcage.Child.open(spawned().transport);
  try {
    assert.deepEqual(child.methods, []);
    await child.initialize();
    assert.ok(['run', 'advance'].every((method) => child.methods.includes(method)));
    const first = await child.run({ source: 'return [await agent("a"), await agent("b")]', describe: true });
    assert.deepEqual([first.dialect, first.requests[0].prompt], ['script', 'a']);
    const ok = (id) => ({ id, resolution: { type: 'ok', value: id } });
    const { state, output } = await child.advance([[ok('1')], [ok('2')]]);
    assert.deepEqual([state, output], ['complete', { result: ['1', '2'] }]);
    await assert.rejects(child.advance([[{ id: '3', resolution: { type: 'ok', value: 1n } }]]), flowcage.CannotSend);
  } finally {
    await child.close();
  }
});

test('modules come with the source, and an older child is refused', async () => {
  const options = {
    sourceName: 'flows/w.js',
    modules: { 'lib/rules.mjs': 'export const limit = () => agent("limit");' },
    agent: (prompt) => prompt.length,
  };
  const source = "import { limit } from '../lib/rules.mjs';\nreturn limit();";
  assert.equal((await run(source, { ...options, transport: flowcage.spawnChild({ command: CHILD }) })).result, 5);
  await assert.rejects(
    run(source, { ...options, transport: flowcage.spawnChild({ command: OLDER_CHILD }), isolation: 'none' }),
    (error) => error instanceof flowcage.RunRefused && /takes no modules/.test(error.message),
  );
});

test('by hand: replay and sites, where methods has them', async () => {
  const child = await flowcage.Child.open(spawned().transport);
  try {
    await child.initialize();
    await child.run({ source: 'await agent("a"); await agent("b");\nreturn await agent("c")' });
    const ok = (id) => [{ id, resolution: { type: 'ok', value: id } }];
    const { counts, requests } = await child.replay([ok('1'), ok('2')]);
    assert.deepEqual([counts, requests.map(({ prompt }) => prompt)], [[1, 1], ['b', 'c']]);
    assert.deepEqual((await child.sites()).sites.map(({ id, line }) => [id, line]), [['3', 2]]);
    const { state, output } = await child.replay([ok('3')]);
    assert.deepEqual([state, output], ['complete', { result: '3' }]);
  } finally {
    await child.close();
  }
});

test('agents wait in order for one of maxAgents places', async () => {
  let now = 0;
  let most = 0;
  const agent = async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise(setImmediate);
    now -= 1;
  };
  await run('return await parallel(Array.from({ length: 30 }, () => () => agent("a")))', { ...spawned(), agent, maxAgents: 3 });
  assert.equal(most, 3);
});

test('limits that make no sense are refused before anything is started', async () => {
  for (const wrong of [{ timeoutMs: Infinity }, { timeoutMs: 0 }, { maxAgents: NaN }, { timeoutMs: 2 ** 31 }]) {
    await assert.rejects(run('return 1', wrong), RangeError);
  }
  await assert.rejects(run('return 1', { ...spawned(), limits: { cpuSeconds: 1.5 } }), flowcage.RunRefused);
});

test('an option that is undefined is one that was left out', async () => {
  const nothing = { timeoutMs: undefined, maxAgents: undefined, signal: undefined, agent: undefined };
  const limits = { stepTimeoutMs: undefined, maxPendingRequests: undefined, maxQueuedBytes: undefined };
  assert.equal((await run('return 1', { ...spawned(), ...nothing, limits })).result, 1);
  const path = process.env.PATH;
  process.env.PATH = '/nowhere';
  try {
    await assert.rejects(run('return 1', { transport: undefined }), /flowcage-child/);
  } finally {
    process.env.PATH = path;
  }
});

test('a command is found from here, also by a PATH of relative folders', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flowcage-'));
  const path = process.env.PATH;
  try {
    const program = join(relative(process.cwd(), folder), 'child');
    writeFileSync(program, `#!/bin/sh\nexec ${CHILD.join(' ')}\n`, { mode: 0o755 });
    assert.equal((await run('return 1', { transport: flowcage.spawnChild({ command: [`./${program}`] }) })).result, 1);
    process.env.PATH = dirname(program);
    assert.equal((await run('return 1', { transport: flowcage.spawnChild({ command: ['child'] }) })).result, 1);
  } finally {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  }
});

test('a command or a socket that is not there is a launch that failed', async () => {
  for (const transport of [flowcage.spawnChild({ command: ['no-such-program'] }), flowcage.connect('/no/such/socket')]) {
    const error = await run('return 1', { transport }).catch((thrown) => thrown);
    assert.ok(error instanceof flowcage.LaunchFailed, error);
    assert.equal(error.childAlive, false);
  }
});

test('nothing that a run leaves behind keeps the process alive', async () => {
  const index = JSON.stringify(new URL('../index.js', import.meta.url));
  const program = `
    import { run, spawnChild } from ${index};
    const options = { transport: spawnChild({ command: ${JSON.stringify(CHILD)} }), agent: () => new Promise(() => {}) };
    await run('return 1', options);
    await run('await agent("never"); return 1', { ...options, timeoutMs: 300 }).catch(() => {});
    await run('await SW.extra.sleep(1e9); return 1', { ...options, timeoutMs: 300 }).catch(() => {});
    console.log('done');`;
  const ran = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 30_000 });
  assert.deepEqual(ran, { stdout: 'done\n', stderr: '' });
});

// ---- the shipped examples, their agents answered here

test('examples/review.js runs', async () => {
  const agent = async (_prompt, { schema, label }) => {
    if (schema?.required[0] === 'findings') return { findings: [{ file: 'a.js', line: 1, problem: label }] };
    return schema ? { real: true } : 'All is well.';
  };
  const { result, phases } = await run(example('review.js'), { ...spawned(), agent });
  assert.deepEqual([result.real, result.findings.length, result.summary], [3, 3, 'All is well.']);
  assert.deepEqual(phases, ['Review', 'Verify', 'Sum up']);
});

test('examples/research.js runs within its budget', async () => {
  const budget = { total: 60, spent: 0 };
  const agent = async (prompt) => { budget.spent += 10; return prompt.slice(0, 20); };
  const { result, logs } = await run(example('research.js'), { ...spawned(), agent, budget, args: { topic: 'tides' } });
  assert.deepEqual([result.topic, result.notes, result.spent], ['tides', 6, 70]);
  assert.deepEqual(logs, [['stopping after 2 rounds: 60 of 60 tokens are spent']]);
});

test('examples/parent.js runs its child workflows, each in a child of its own', async () => {
  const { transport, pids } = spawned();
  const agent = (prompt, { schema }) => (schema ? { pass: true } : prompt.split('\n')[0]);
  const workflow = async ({ scriptPath }, args, { signal }) => (
    await run(example(scriptPath), { transport, agent, args, signal })).result;
  const { result } = await run(example('parent.js'), { transport, agent, workflow });
  assert.deepEqual(result.chapters.map(({ chapter, pass }) => [chapter, pass]), [
    ['Beginnings', true], ['Storms', true], ['Harbour', true],
  ]);
  assert.equal(new Set(pids()).size, 4);
});

test('the ten lines in the README run', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, program] = readme.match(/```js\n([^]*?)```/);
  const folder = mkdtempSync(join(tmpdir(), 'flowcage-'));
  try {
    const home = join(folder, 'node_modules');
    mkdirSync(home);
    symlinkSync(fileURLToPath(new URL('..', import.meta.url)), join(home, 'flowcage'));
    writeFileSync(join(folder, 'ten-lines.mjs'), program);
    // flowcage-child lies beside the interpreter that it was installed with.
    const env = { ...process.env, PATH: `${dirname(CHILD[0])}:${process.env.PATH}` };
    const { stdout } = await promisify(execFile)(process.execPath, ['ten-lines.mjs'], { cwd: folder, env, timeout: 60_000 });
    assert.equal(stdout, readme.match(/```text\n([^]*?)```/)[1]);
    assert.ok(program.trim().split('\n').length <= 10);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
