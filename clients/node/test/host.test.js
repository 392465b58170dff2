// Host, with the real one: as a process and behind its socket.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import {
  AbortError, AgentAnswer, CannotSend, Host, HostGone, HostRefused, TimedOut, WorkflowFailed, run as runAlone, spawnChild,
} from '../index.js';
import { HOST } from './support.js';

function folderFor(t) {
  const folder = mkdtempSync(join(tmpdir(), 'flowcage-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function hostFor(t, options = {}, args = ['--no-store']) {
  const host = await Host.open({ command: HOST, args, ...options });
  t.after(() => host.close());
  return host;
}

/** A host behind a socket, in a folder of its own; how to reach it. */
async function socketFor(t) {
  const folder = folderFor(t);
  const socket = join(folder, 'socket');
  const args = [...HOST.slice(1), '--socket', socket, '--store', join(folder, 'runs.db')];
  const server = spawn(HOST[0], args, { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(async () => {
    server.kill('SIGTERM');
    if (server.exitCode === null) await once(server, 'exit');
  });
  const [said] = await once(server.stderr.setEncoding('utf8'), 'data');
  assert.match(said, /serving on/);
  return socket;
}

/** An agent that says when it is asked, and answers when it is told to. */
function slowAgent() {
  const asked = Promise.withResolvers?.() ?? withResolvers();
  const answer = withResolvers();
  const agent = (prompt, options, call) => {
    asked.resolve(call);
    return answer.promise;
  };
  return { agent, asked: asked.promise, answer: answer.resolve };
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

test('a run has its outcome, its events, and what its agents have cost', async (t) => {
  const agent = (prompt) => new AgentAnswer({ value: prompt.toUpperCase(), usage: { input: 2, output: 1 }, costUsd: 0.5 });
  const host = await hostFor(t, { agent });
  const source = "phase('Greet'); log('hi'); return [await agent('hello ' + args.name, { label: 'greeting' }), budget.total]";
  const run = await host.start(source, { args: { name: 'Ada' }, budgetTokens: 100, maxCostUsd: 5, events: true, sourceName: 'greet.js' });
  const types = [];
  for await (const { type, rootRunId } of run) {
    assert.equal(rootRunId, run.runId);
    types.push(type);
  }
  assert.deepEqual(types, ['started', 'phase', 'log', 'agent_queued', 'agent_started', 'agent_completed', 'ended']);
  const outcome = await run.outcome();
  assert.deepEqual(outcome.result, ['HELLO ADA', 100]);
  assert.deepEqual([outcome.usage.tokens, outcome.usage.costUsd, outcome.census.completed], [3, 0.5, 1]);
});

test('the JSON in the text of a model is the answer that the schema asks for', async (t) => {
  const said = ['I would rather not.', 'Here it is:\n```json\n{"n": 7}\n```\nAnything else?'];
  const host = await hostFor(t, { agent: () => new AgentAnswer({ text: said.shift() }) });
  const source = "return agent('n', { schema: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } } })";
  assert.deepEqual((await host.run(source)).result, { n: 7 });
  assert.deepEqual(said, []);
});

test('runs at once have handlers of their own, and do not mix', async (t) => {
  const host = await hostFor(t, { agent: () => 'nobody' });
  const one = async (n) => (await host.run("return [args, await agent('a'), await agent('b')]", {
    args: n, agent: (prompt) => `${prompt}${n}`,
  })).result;
  const results = await Promise.all(Array.from({ length: 20 }, (_, n) => one(n)));
  assert.deepEqual(results, results.map((_, n) => [n, `a${n}`, `b${n}`]));
});

test('a failure has the kind, the place and the stack that the workflow has', async (t) => {
  const host = await hostFor(t);
  await assert.rejects(host.run('const x = 1;\nx.nothing.at();', { sourceName: 'fails.js' }), (error) => {
    assert.ok(error instanceof WorkflowFailed);
    assert.deepEqual([error.kind, error.verdict, error.childAlive], ['exception', 'failed', true]);
    assert.match(error.workflowStack, /fails\.js:2/);
    return true;
  });
});

test('a child workflow is run by the host, with the agents of its parent', async (t) => {
  const asked = [];
  const workflow = (ref, args, { sourceName, depth }) => {
    asked.push([ref, args, sourceName, depth]);
    return "return [args, await agent('in the child')]";
  };
  const host = await hostFor(t, { agent: (prompt, options, { runId, rootRunId }) => [prompt, runId === rootRunId], workflow });
  const { result } = await host.run("return workflow('double', { n: 4 })", { sourceName: 'main.js' });
  assert.deepEqual(result, [{ n: 4 }, ['in the child', false]]);
  assert.deepEqual(asked, [['double', { n: 4 }, 'main.js', 0]]);
});

test('a workflow handler may answer with a value, or refuse', async (t) => {
  const host = await hostFor(t, { workflow: (ref) => (ref === 'seven' ? { value: 7 } : 1) });
  assert.equal((await host.run("return workflow('seven')")).result, 7);
  await assert.rejects(host.run("return workflow('eight')"), (error) => error.verdict === 'host_fault' && /source/.test(error.message));
});

test('an attempt has no more time than the run gives it', async (t) => {
  const dropped = withResolvers();
  const agent = (prompt, options, { signal, deadlineSeconds }) => {
    assert.ok(deadlineSeconds > 0 && deadlineSeconds <= 0.2);
    return new Promise(() => { signal.addEventListener('abort', () => dropped.resolve(signal.reason.message)); });
  };
  const host = await hostFor(t, { agent });
  const { result } = await host.run("return agent('x')", { agentTimeoutSeconds: 0.2 });
  assert.equal(result, null);
  assert.match(await dropped.promise, /timeout/);
});

test('aborting a run ends it, and its agents hear of it', async (t) => {
  const { agent, asked } = slowAgent();
  const host = await hostFor(t, { agent });
  const controller = new AbortController();
  const run = host.run("return agent('x')", { signal: controller.signal });
  const { signal } = await asked;
  controller.abort(new Error('enough'));
  await assert.rejects(run, (error) => error instanceof AbortError && /enough/.test(error.outcome.error.message));
  assert.equal(signal.aborted, true);
});

test('closing a host ends its runs and its process', async () => {
  const { agent, asked } = slowAgent();
  const host = await Host.open({ command: HOST, args: ['--no-store'], agent });
  const ended = assert.rejects(host.run("return agent('x')"));
  await asked;
  await host[Symbol.asyncDispose]();
  await ended;
  await assert.rejects(host.run('return 1'), HostGone);
});

test('what is refused has its kind and its place', async (t) => {
  const host = await hostFor(t);
  const refused = (kind, path) => (error) => error instanceof HostRefused && error.kind === kind && error.data.path === path;
  await assert.rejects(host.run('return 1', { maxAgents: 0 }), refused('invalid_params', '/options/maxAgents'));
  await assert.rejects(host.get('nothing'), refused('unknown_run'));
  await assert.rejects(host.resume('nothing'), refused('no_store'));
  await assert.rejects(host.run('x'.repeat(host.info.maxMessageBytes)), CannotSend);
});

test('a source is checked without being run', async (t) => {
  const host = await hostFor(t);
  const { dialect, findings } = await host.check('return agnet("x")', { sourceName: 'typo.js' });
  assert.equal(dialect, 'script');
  assert.ok(findings.some(({ message }) => message.includes('agnet')));
});

test('a kept run is listed, explained, forked and answered', async (t) => {
  const folder = folderFor(t);
  const prompts = [];
  const agent = (prompt) => {
    prompts.push(prompt);
    return prompt.length;
  };
  const host = await hostFor(t, { agent }, ['--store', join(folder, 'runs.db')]);
  await host.run("return [await agent('one'), await agent('three')]", { runId: 'first', key: 'of the day' });
  const edited = "return [await agent('one'), await agent('fifteen')]";
  const { reused, calls } = await host.explain('first', { source: edited });
  assert.deepEqual([reused, calls.map(({ reused: from }) => from !== null)], [1, [true, false]]);
  const fork = await host.resume('first', { source: edited, newRunId: 'second' });
  assert.deepEqual((await fork.outcome()).result, [3, 7]);
  assert.deepEqual(prompts, ['one', 'three', 'fifteen']);
  const { runs } = await host.list({ state: 'ended' });
  assert.deepEqual(runs.map(({ runId, verdict }) => [runId, verdict]), [['second', 'completed'], ['first', 'completed']]);
  assert.deepEqual((await host.get('first')).outcome.result, [3, 5]);
  await assert.rejects(host.answer('first', '1', 'yes'), HostRefused);
});

test('a second start with a key is the same run', async (t) => {
  const host = await hostFor(t, { agent: () => 1 }, ['--store', join(folderFor(t), 'runs.db')]);
  const first = await host.start("return agent('x')", { key: 'nightly' });
  await first.outcome();
  const second = await host.start("return agent('x')", { key: 'nightly' });
  assert.equal(second.runId, first.runId);
  assert.equal((await second.outcome()).result, 1);
});

test('a run whose host was killed goes on with the next host, which knows what its agent had noted', async (t) => {
  const store = ['--store', join(folderFor(t), 'runs.db')];
  const noted = withResolvers();
  const agent = async (prompt, options, { remember }) => {
    if (prompt === 'one') return 1;
    await remember('session-4711');
    noted.resolve();
    return new Promise(() => {});
  };
  const first = await hostFor(t, { agent }, store);
  const run = await first.start("return [await agent('one'), await agent('two')]");
  await noted.promise;
  process.kill(first.pid, 'SIGKILL');
  await assert.rejects(run.outcome(), (error) => error instanceof HostGone && /was killed by SIGKILL/.test(error.message));
  const calls = [];
  const second = await hostFor(t, {
    agent: (prompt, options, { interrupted, handle }) => calls.push([prompt, interrupted, handle]),
  }, store);
  assert.deepEqual((await second.list({ state: 'abandoned' })).runs.map(({ runId }) => runId), [run.runId]);
  assert.equal((await second.explain(run.runId)).reused, 1);
  const again = await second.resume(run.runId, { events: true });
  assert.deepEqual((await again.outcome()).result, [1, 1]);
  assert.deepEqual(calls, [['two', true, 'session-4711']]);
});

test('a handler that blocks the event loop holds up no limit of the run', async (t) => {
  const store = join(folderFor(t), 'runs.db');
  let status;
  const agent = (prompt, options, { runId }) => {
    // Returns when the run has ended, which is before the event loop of this program goes on.
    ({ status } = spawnSync(HOST[0], [...HOST.slice(1, -1), 'wait', runId, '--store', store]));
  };
  const host = await hostFor(t, { agent }, ['--store', store]);
  await assert.rejects(host.run("return agent('x')", { timeoutSeconds: 4 }), TimedOut);
  assert.equal(status, 124);
});

test('over a socket a run outlives its client, and another one answers what it asks', async (t) => {
  const socket = await socketFor(t);
  const { agent, asked } = slowAgent();
  const first = await Host.open({ socket, agent, onDisconnect: 'continue' });
  const { runId } = await first.start("return agent('x')");
  await asked;
  await first.close();
  const calls = [];
  const second = await Host.open({ socket, agent: (prompt, options, { interrupted }) => calls.push([prompt, interrupted]) });
  t.after(() => second.close());
  const run = await second.attach(runId);
  assert.equal((await run.outcome()).result, 1);
  assert.deepEqual(calls, [['x', true]]);
});

test('over a socket a client that is gone takes its runs with it, and no others', async (t) => {
  const socket = await socketFor(t);
  const gone = slowAgent();
  const stays = slowAgent();
  const first = await Host.open({ socket, agent: gone.agent });
  const second = await Host.open({ socket, agent: stays.agent });
  t.after(() => second.close());
  const ending = await first.start("return agent('x')");
  const going = await second.start("return agent('y')");
  await Promise.all([gone.asked, stays.asked]);
  await first.close();
  await assert.rejects(ending.outcome(), (error) => error instanceof HostGone || error.verdict === 'cancelled');
  const { run, outcome } = await second.get(ending.runId);
  assert.deepEqual([run.state, outcome.verdict], ['ended', 'cancelled']);
  stays.answer('still here');
  assert.equal((await going.outcome()).result, 'still here');
});

test('a host ends with the program that started it, after the child of its run', async (t) => {
  const folder = folderFor(t);
  const ended = join(folder, 'ended');
  const watcher = watch(folder);
  t.after(() => watcher.close());
  const command = ['/bin/sh', '-c', `"$@" 2> /dev/null; echo $? > ${ended}`, 'sh', ...HOST];
  const program = `
    import { Host } from '${new URL('../index.js', import.meta.url)}';
    const agent = () => { console.log('asked'); return new Promise(() => {}); };
    const host = await Host.open({ command: ${JSON.stringify(command)}, args: ['--no-store'], agent });
    await host.run("return agent('x')");`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  while (!existsSync(ended) || readFileSync(ended, 'utf8') === '') await once(watcher, 'change');
  assert.match(readFileSync(ended, 'utf8'), /^\d+\n$/);
});

test('a program that is not on the PATH is told with what to do', async () => {
  const advice = /spawn no-such-program ENOENT.*give `command`/;
  await assert.rejects(Host.open({ command: ['no-such-program'] }), (error) => error instanceof HostGone && advice.test(error.message));
  const run = runAlone('return 1', { transport: spawnChild({ command: ['no-such-program'] }) });
  await assert.rejects(run, (error) => error.name === 'LaunchFailed' && advice.test(error.message));
});
