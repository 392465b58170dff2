// What a host may do wrong, and programs: typed errors, and nobody left waiting.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import {
  AbortError, AgentAnswer, AgentError, HandlerFailed, Host, HostGone, HostRefused, RequestRejected, RunError, ShareTooSmall, WorkflowFailed,
} from '../index.js';
import { INFO, NOTHING, asked, fakeHost } from './fake_host.js';

const started = ({ runId = 'r' }) => ({ runId });
const RUN = { 'run.start': started, 'run.wait': () => NOTHING };
const ended = (outcome) => ({ runId: 'r', outcome: { runId: 'r', ...outcome } });

const BROKEN = {
  'no JSON': 'hello',
  'no JSON-RPC': '{"id":1}',
  'a list': '[]',
  'an answer to nothing': '{"jsonrpc":"2.0","id":4711,"result":{}}',
  'an error without a kind': '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}',
  'an answer to a request that is an error without a kind': '{"jsonrpc":"2.0","id":3,"error":{"code":1,"message":"x"}}',
  'an answer to a request that has no members': '{"jsonrpc":"2.0","id":3,"result":[]}',
  'an error about a line': '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x","data":{"kind":"parse_error"}}}',
  'a line over the cap': `"${'x'.repeat(65_536)}"`,
  'too much structure': '['.repeat(600),
  'a number that is none': '{"jsonrpc":"2.0","method":"run.event","params":{"n":1e999}}',
  'a method that is none': '{"jsonrpc":"2.0","id":1,"method":1}',
  'params that have no names': '{"jsonrpc":"2.0","id":1,"method":"agent.ask","params":[1]}',
  'an event that is none': '{"jsonrpc":"2.0","method":"run.event","params":{"runId":"r","event":1}}',
  'a prompt that is no text': '{"jsonrpc":"2.0","id":1,"method":"agent.ask","params":{"rootRunId":"r","prompt":1,"options":{}}}',
};

for (const [name, line] of Object.entries(BROKEN)) {
  test(`a host that sends ${name} is given up, and whoever waits is told`, async (t) => {
    const { fake, host } = await fakeHost(t, RUN);
    const run = await (await host).start('return 1', { events: true });
    const reading = assert.rejects(async () => { for await (const _ of run); }, HostGone);
    fake.say(line);
    await assert.rejects(run.outcome(), HostGone);
    await reading;
    await assert.rejects((await host).get('r'), HostGone);
    if (!fake.socket.closed) await once(fake.socket, 'close'); // the client has left, and nobody has closed it
  });
}

for (const [name, info] of Object.entries({
  'another version': { ...INFO, protocolVersion: '2.0' }, 'no result': NOTHING, 'no cap of a line': { ...INFO, maxMessageBytes: 'much' }, 'no cap of requests': { ...INFO, maxOpenRequests: 0 },
})) {
  test(`a host that answers initialize with ${name} is none`, async (t) => {
    const { fake, host } = await fakeHost(t, { initialize: () => info });
    if (info === NOTHING) await fake.heardOf(({ method }) => method === 'initialize').then(() => fake.socket.end());
    await assert.rejects(host, HostGone);
  });
}

test('a host that does not answer is given up by the signal of its opening', async (t) => {
  const opening = new AbortController();
  const { fake, host } = await fakeHost(t, { initialize: () => NOTHING }, { signal: opening.signal });
  fake.heardOf(({ method }) => method === 'initialize').then(() => opening.abort('enough'));
  await assert.rejects(host, (error) => error instanceof AbortError && error.cause === 'enough');
  if (!fake.socket.closed) await once(fake.socket, 'close');
});

test('a program that is no host is gone when its opening was aborted', async () => {
  let pid;
  const onStderr = (text) => { pid = Number(text); opening.abort(); };
  const opening = new AbortController();
  const command = ['sh', '-c', 'echo $$ >&2; exec sleep 1000'];
  await assert.rejects(Host.open({ command, onStderr, signal: opening.signal }), AbortError);
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  await assert.rejects(Host.open({ command, signal: AbortSignal.abort() }), AbortError);
});

test('a host that speaks no such version says so', async (t) => {
  const refuse = (params, fake, id) => {
    fake.say({ id, error: { code: -32024, message: 'no such version', data: { kind: 'protocol_version', supported: ['9'] } } });
    return NOTHING;
  };
  const { host } = await fakeHost(t, { initialize: refuse });
  await assert.rejects(host, (error) => error instanceof HostRefused && error.kind === 'protocol_version' && error.code === -32024);
});

test('a program that is not there, or does not stay, is no host', async () => {
  await assert.rejects(Host.open({ command: ['/nowhere/flowcage'] }), HostGone);
  await assert.rejects(Host.open({ socket: '/nowhere/socket' }), HostGone);
  const leave = 'console.error("no room"); process.exit(3)';
  await assert.rejects(Host.open({ command: [process.execPath, '-e', leave] }), (error) => {
    assert.ok(error instanceof HostGone);
    assert.match(error.message, /exited with status 3; it said: no room/);
    return true;
  });
});

test('a host that does not leave is killed', async () => {
  const stay = `
    process.on('SIGTERM', () => {});
    const info = ${JSON.stringify(INFO)};
    process.stdin.once('data', () => console.log(JSON.stringify({ jsonrpc: '2.0', id: 1, result: info })));
    setInterval(() => {}, 1000);`;
  const host = await Host.open({ command: [process.execPath, '-e', stay] });
  const run = host.run('return 1');
  await Promise.all([host.close({ graceMs: 50 }), assert.rejects(run, HostGone)]);
});

test('what a run asks and tells is heard though it comes with the answer to its start', async (t) => {
  const { fake, host } = await fakeHost(t, {
    'run.start': (params, own, id) => {
      const event = { type: 'log', runId: 'r', values: [1] };
      own.say({ id, result: { runId: 'r' } }, { method: 'run.event', params: { runId: 'r', event } }, own.request('agent.ask', asked()));
      return NOTHING;
    },
    'run.wait': () => NOTHING,
  }, { agent: () => 'of the host' });
  const events = [];
  await (await host).start('return 1', { agent: (prompt) => `${prompt} of the run`, onEvent: (event) => events.push(event) });
  assert.deepEqual((await fake.heardOf(({ id, method }) => id === 1 && !method)).result, { value: 'p of the run' });
  assert.deepEqual(events, [{ type: 'log', runId: 'r', values: [1] }]);
});

test('a request of the host that nobody knows is refused, and other things it says are ignored', async (t) => {
  const { fake, host } = await fakeHost(t, RUN);
  await host;
  fake.say({ method: 'run.gossip', params: {} }, { method: 'run.event', params: { runId: 'x', event: { type: 'log' } } }, fake.request('agent.sing', {}));
  const { error } = await fake.heardOf(({ id, method }) => id === 1 && !method);
  assert.deepEqual([error.code, error.data.kind], [-32601, 'failed']);
  assert.deepEqual(await (await host).start('return 1').then(({ runId }) => runId), 'r');
});

const circle = {};
circle.circle = circle;
const ANSWERS = {
  'undefined is null': [() => undefined, { value: null }],
  'what it has cost is told': [() => new AgentAnswer({ value: 1, costUsd: 2, usage: { input: 3 } }), { value: 1, costUsd: 2, usage: { input: 3 } }],
  'text is told as text': [() => new AgentAnswer({ text: '{}' }), { text: '{}' }],
  'what JSON makes nothing of is null': [() => ({ toJSON() {} }), { value: null }],
  'what makes its own JSON is that': [() => new AgentAnswer({ value: new Date(0) }), { value: '1970-01-01T00:00:00.000Z' }],
  'an answer of nothing is null': [() => new AgentAnswer({ costUsd: 1 }), { value: null, costUsd: 1 }],
};
for (const [name, [agent, result]] of Object.entries(ANSWERS)) {
  test(`an agent answers: ${name}`, async (t) => {
    const { fake, host } = await fakeHost(t, {}, { agent });
    await host;
    fake.say(fake.request('agent.ask', asked()));
    assert.deepEqual((await fake.heardOf(({ id, method }) => id === 1 && !method)).result, result);
  });
}

for (const [name, [found, result]] of Object.entries({
  'undefined is null': [{ value: undefined }, { value: null }],
  'what JSON makes nothing of is null': [{ value: { toJSON() {} } }, { value: null }],
  'a source goes before a value': [{ source: 's', value: 1 }, { source: 's' }],
})) {
  test(`a workflow is found: ${name}`, async (t) => {
    const { fake, host } = await fakeHost(t, {}, { workflow: () => found });
    await host;
    fake.say(fake.request('workflow.get', { rootRunId: 'r', ref: 'w' }));
    const answer = await fake.heardOf(({ id, method }) => id === 1 && !method);
    assert.deepEqual(Object.fromEntries(Object.keys(result).map((name) => [name, answer.result[name]])), result);
  });
}

const throws = (error) => () => { throw error; };
const FAILURES = {
  'a rejection': [throws(new RequestRejected('no')), { kind: 'rejected' }, /^no$/],
  'an agent without an answer': [throws(new AgentError('no', { costUsd: 1, usage: { input: 2 } })), { kind: 'failed', costUsd: 1, usage: { input: 2 } }, /^no$/],
  'an agent that needs more': [throws(new ShareTooSmall('no', { needsUsd: 2 })), { kind: 'share_too_small', needsUsd: 2 }, /^no$/],
  'an error of the program': [throws(new TypeError('oh')), { kind: 'fault' }, /^oh$/],
  'what is no error': [throws(undefined), { kind: 'fault' }, /undefined/],
  'a symbol': [throws(Symbol('oh')), { kind: 'fault' }, /Symbol\(oh\)/],
  'an object that is no text': [throws(Object.create(null)), { kind: 'fault' }, /no words/],
  'an error whose message cannot be read': [throws({ get message() { throw new Error('no'); } }), { kind: 'fault' }, /no words/],
  'a rejection whose message is no text': [throws(Object.assign(new RequestRejected('no'), { message: 7 })), { kind: 'rejected' }, /7/],
  'an error too long for a line': [throws(new Error('x'.repeat(70_000))), { kind: 'fault' }, /^x{10000}$/],
  'a function': [() => () => 1, { kind: 'rejected' }, /it is a function/],
  'a BigInt': [() => 1n, { kind: 'rejected' }, /BigInt/],
  'a circle': [() => circle, { kind: 'rejected' }, /circular/],
  'an answer over the cap': [() => 'x'.repeat(70_000), { kind: 'rejected' }, /more than maxMessageBytes \(65536\)/],
};
for (const [name, [agent, data, message]] of Object.entries(FAILURES)) {
  test(`an agent that gives ${name} is told as an error`, async (t) => {
    const { fake, host } = await fakeHost(t, {}, { agent });
    await host;
    fake.say(fake.request('agent.ask', asked()));
    const { error } = await fake.heardOf(({ id, method }) => id === 1 && !method);
    assert.deepEqual(error.data, data);
    assert.match(error.message, message);
  });
}

test('a request that is dropped aborts its handler, and has no late answer', async (t) => {
  let begun;
  const agent = (prompt, options, { signal }) => {
    if (prompt === 'second') return 2;
    begun = signal;
    return new Promise((resolve) => { signal.addEventListener('abort', () => resolve('late')); });
  };
  const { fake, host } = await fakeHost(t, {}, { agent });
  await host;
  fake.say(fake.request('agent.ask', asked()), { method: 'request.cancelled', params: { id: 1, reason: 'timeout' } });
  fake.say(fake.request('agent.ask', asked({ prompt: 'second' })));
  await fake.heardOf(({ id, method }) => id === 2 && !method);
  assert.match(begun.reason.message, /timeout/);
  assert.equal(fake.heard.find(({ id, method }) => id === 1 && !method), undefined);
});

test('a host that is gone aborts the handlers', async (t) => {
  const aborted = new Promise((resolve) => {
    const agent = (prompt, options, { signal }) => new Promise(() => { signal.addEventListener('abort', () => resolve(signal.reason)); });
    fakeHost(t, {}, { agent }).then(async ({ fake, host }) => {
      await host;
      fake.say(fake.request('agent.ask', asked()));
      fake.socket.end();
    });
  });
  assert.ok(await aborted instanceof HostGone);
});

test('progress and notes of an agent name its request', async (t) => {
  const agent = async (prompt, options, { progress, remember }) => {
    progress({ text: 'reading' });
    await remember('session-1');
    return 1;
  };
  const { fake, host } = await fakeHost(t, { 'agent.remember': () => ({}) }, { agent });
  await host;
  fake.say(fake.request('agent.ask', asked()));
  await fake.heardOf(({ id, method }) => id === 1 && !method);
  const told = fake.heard.filter(({ method }) => method?.startsWith('agent.')).map(({ method, params }) => [method, params]);
  assert.deepEqual(told, [['agent.progress', { id: 1, text: 'reading' }], ['agent.remember', { id: 1, handle: 'session-1' }]]);
});

test('word of progress is dropped while the host does not read, and answers are not', async (t) => {
  const told = 'x'.repeat(60_000);
  const agent = (prompt, options, { progress }) => {
    for (let count = 0; count < 1000; count += 1) progress({ text: told });
    return 'done';
  };
  const { fake, host } = await fakeHost(t, {}, { agent });
  await host;
  fake.say(fake.request('agent.ask', asked()));
  assert.deepEqual((await fake.heardOf(({ id, method }) => id === 1 && !method)).result, { value: 'done' });
  const count = fake.heard.filter(({ method }) => method === 'agent.progress').length;
  assert.ok(count >= 10 && count < 30, `${count} words`);
});

test('no more requests are unanswered than the host takes, and those that wait for runs leave room', async (t) => {
  let open = 0;
  let most = 0;
  const count = (answer) => (params, fake, id) => {
    open += 1;
    most = Math.max(most, open);
    setImmediate(() => {
      open -= 1;
      fake.say({ id, result: answer(params) });
    });
    return NOTHING;
  };
  const { host } = await fakeHost(t, {
    initialize: () => ({ ...INFO, maxOpenRequests: 10 }),
    'run.start': count(started),
    'run.wait': count(({ runId }) => ({ runId, outcome: { runId, verdict: 'completed', result: runId } })),
  });
  const opened = await host;
  const outcomes = await Promise.all(Array.from({ length: 50 }, (_, n) => opened.run('return 1', { runId: `r${n}` })));
  assert.deepEqual(outcomes.map(({ result }) => result), Array.from({ length: 50 }, (_, n) => `r${n}`));
  assert.ok(most <= 10 && most > 1, `${most} at once`);
});

const OUTCOMES = {
  'the workflow failed': [{ verdict: 'failed', error: { kind: 'exception', message: 'oh', stack: 'at x', childAlive: true } }, WorkflowFailed],
  'a step took too long': [{ verdict: 'step_timeout', error: { kind: 'timeout', message: 'oh', childAlive: true } }, WorkflowFailed],
  'of a verdict of a later version': [{ verdict: 'eclipsed', error: { kind: 'eclipsed', message: 'oh', childAlive: false } }, RunError],
  'a verdict that is a member of objects': [{ verdict: 'constructor', error: { kind: 'constructor', message: 'oh', childAlive: false } }, RunError],
};
for (const [name, [outcome, kind]] of Object.entries(OUTCOMES)) {
  test(`an outcome without a result is an error: ${name}`, async (t) => {
    const { host } = await fakeHost(t, { ...RUN, 'run.wait': () => ended(outcome) });
    await assert.rejects((await host).run('return 1'), (error) => {
      assert.ok(error instanceof kind);
      assert.deepEqual([error.message, error.verdict, error.childAlive], ['oh', outcome.verdict, outcome.error.childAlive]);
      return true;
    });
  });
}

test('an outcome without a verdict, or an error, is none', async (t) => {
  for (const outcome of [{}, { verdict: 1 }, { verdict: 'failed' }]) {
    const { host } = await fakeHost(t, { ...RUN, 'run.wait': () => ended(outcome) });
    await assert.rejects((await host).run('return 1'), HostGone);
  }
});

const REASONS = {
  'a symbol': [Symbol('enough'), 'Symbol(enough)'],
  'an object that is no text': [Object.create(null), 'what was thrown has no words: it is of type object'],
  'an error whose message is no text': [Object.assign(new Error('x'), { message: 5 }), 'Error: 5'],
  'an error too long for a line': [new Error('x'.repeat(70_000)), 'x'.repeat(1000)],
};
for (const [name, [reason, told]] of Object.entries(REASONS)) {
  test(`a run is cancelled whatever it is aborted with: ${name}`, async (t) => {
    const controller = new AbortController();
    const { fake, host } = await fakeHost(t, RUN);
    const run = (await host).run('return 1', { signal: controller.signal });
    run.catch(() => {}); // the fake host leaves at the end of the test
    await fake.heardOf(({ method }) => method === 'run.wait');
    controller.abort(reason);
    const { params } = await fake.heardOf(({ method }) => method === 'run.cancel');
    assert.deepEqual(params, { runId: 'r', reason: told });
  });
}

test('aborting a run cancels it, and says so when it has ended', async (t) => {
  const controller = new AbortController();
  const { fake, host } = await fakeHost(t, { ...RUN, 'run.cancel': ({ runId }, own) => {
    const wait = own.heard.find(({ method }) => method === 'run.wait');
    own.say({ id: wait.id, result: ended({ verdict: 'cancelled', error: { kind: 'cancelled', message: 'x', childAlive: true } }) });
    return { runId, done: 'ended' };
  } });
  const run = (await host).run('return 1', { signal: controller.signal });
  await fake.heardOf(({ method }) => method === 'run.wait');
  controller.abort(new Error('enough'));
  await assert.rejects(run, (error) => error instanceof AbortError && error.outcome.verdict === 'cancelled');
  assert.deepEqual(fake.heard.find(({ method }) => method === 'run.cancel').params, { runId: 'r', reason: 'enough' });
  await assert.rejects((await host).run('return 1', { signal: controller.signal }), AbortError);
  assert.equal(fake.heard.filter(({ method }) => method === 'run.start').length, 1);
});

for (const [name, onEvent] of Object.entries({
  'throws an error': throws(new Error('deaf')), 'throws a symbol': throws(Symbol('deaf')), 'is async and rejects': async () => { throw new Error('deaf'); },
})) {
  test(`a listener that ${name} ends the run`, async (t) => {
    const { fake, host } = await fakeHost(t, { ...RUN, 'run.cancel': ({ runId }, own) => {
      const wait = own.heard.find(({ method }) => method === 'run.wait');
      own.say({ id: wait.id, result: ended({ verdict: 'cancelled', error: { kind: 'cancelled', message: 'x', childAlive: true } }) });
      return { runId, done: 'ended' };
    } });
    const run = await (await host).start('return 1', { onEvent });
    await fake.heardOf(({ method }) => method === 'run.wait');
    const event = { method: 'run.event', params: { runId: 'r', event: { type: 'log', runId: 'r' } } };
    fake.say(event, event);
    await assert.rejects(run.outcome(), (error) => error instanceof HandlerFailed && /deaf/.test(error.message));
  });
}

test('a reader who is slow misses events, and is told how many; the end it has', async (t) => {
  const { fake, host } = await fakeHost(t, RUN);
  const run = await (await host).start('return 1', { events: true });
  const told = (type, n) => ({ method: 'run.event', params: { runId: 'r', event: { type, runId: 'r', n } } });
  fake.say(...Array.from({ length: 10_003 }, (_, n) => told('log', n)), told('ended'));
  fake.say(fake.request('nothing', {}));
  await fake.heardOf(({ id, method }) => id === 1 && !method);
  const types = [];
  for await (const event of run) types.push(event.type === 'gap' ? event.dropped : event.type);
  assert.deepEqual([types.length, types.slice(-3)], [10_002, ['log', 3, 'ended']]);
});

test('a reader is behind by no more than so many bytes', async (t) => {
  const { fake, host } = await fakeHost(t, RUN);
  const run = await (await host).start('return 1', { events: true });
  const told = (type, text) => ({ method: 'run.event', params: { runId: 'r', event: { type, runId: 'r', text } } });
  fake.say(...Array.from({ length: 500 }, () => told('log', 'x'.repeat(60_000))), told('ended'), fake.request('nothing', {}));
  await fake.heardOf(({ id, method }) => id === 1 && !method);
  let bytes = 0;
  let gap;
  for await (const event of run) {
    bytes += event.text?.length ?? 0;
    gap = event.type === 'gap' ? event : gap;
  }
  assert.ok(bytes > 16e6 && bytes < 17e6, `${bytes} bytes`);
  assert.equal(bytes / 60_000 + gap.dropped, 500);
});

test('a run that is begun twice is heard by both, and one that has ended has no events', async (t) => {
  const waits = [];
  const { fake, host } = await fakeHost(t, { ...RUN, 'run.wait': (params, own, id) => {
    waits.push(id);
    return NOTHING;
  } });
  const read = async (run) => {
    const types = [];
    for await (const { type } of run) types.push(type);
    return types;
  };
  const opened = await host;
  const runs = [await opened.start('return 1', { key: 'k', events: true }), await opened.start('return 1', { key: 'k', events: true })];
  const told = (type) => ({ method: 'run.event', params: { runId: 'r', event: { type, runId: 'r' } } });
  const reading = Promise.all([...runs, runs[1]].map(read));
  while (waits.length < 2) await turn();
  const end = (id) => ({ id, result: ended({ verdict: 'completed', result: 1 }) });
  fake.say(told('log'), told('ended'), ...waits.map(end));
  const [first, second, same] = await reading;
  assert.deepEqual([first, [...second, ...same].sort()], [['log', 'ended'], ['ended', 'log']]);
  const late = await opened.start('return 1', { key: 'k', events: true });
  while (waits.length < 3) await turn();
  fake.say(end(waits[2]));
  assert.deepEqual(await read(late), []);
});

test('wrong use is refused before anything is sent', async (t) => {
  const { fake, host } = await fakeHost(t, RUN);
  const opened = await host;
  await assert.rejects(async () => opened.run('return 1', { maxAgent: 1 }), /there is no option maxAgent/);
  await assert.rejects(async () => opened.run('return 1', { agent: () => 1 }), /give one to Host.open/);
  await assert.rejects(async () => opened.start('return 1', { args: 1n }), /BigInt/);
  await assert.rejects(async () => opened.start('return 1', { args: () => 1 }), /args is a function/);
  const run = await opened.start('return 1');
  assert.throws(() => run[Symbol.asyncIterator](), /events: true/);
  assert.equal(fake.heard.filter(({ method }) => method === 'run.start').length, 1);
});
