// The cases that hosts in every language go through: tests/clients/cases/README.md.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { AgentAnswer, AgentError, AgentsUnavailable, Host, HostRefused, OptionNotHonoured, RequestRejected, ShareTooSmall, WrongAnswer } from '../index.js';
import { HOST } from './support.js';

const FOLDER = new URL('../../../tests/clients/cases/', import.meta.url);
const ERRORS = { failed: AgentError, unavailable: AgentsUnavailable, option_not_honoured: OptionNotHonoured, wrong_answer: WrongAnswer, share_too_small: ShareTooSmall };
const MATCHING = ['prompt', 'attempt', 'again', 'held', 'ref', 'profile', 'question'];
const SPENT = ['usage', 'costUsd', 'model', 'sessionId'];
// What a case, a rule and an expectation may have: anything else would be looked at by nobody.
const ENDS = ['expect', 'agent', 'workflow', 'sandboxExec', 'ask', 'answers'];
const KNOWN = {
  case: [...ENDS, 'name', 'source', 'args', 'sourceName', 'metadata', 'limits', 'options', 'store', 'resume'],
  resume: [...ENDS, 'evenIfCancelled'],
  rule: [...MATCHING, ...SPENT, 'value', 'source', 'sourceName', 'modules', 'fails', 'rejects', 'never', 'cancels', 'progress', 'whenAtWork'],
  fails: ['kind', 'message', 'text', 'needsUsd', 'needsTokens'],
  progress: [...SPENT, 'text'],
  usage: ['input', 'output', 'cacheRead', 'cacheWrite'],
  answer: ['questionId', 'value', 'rejects'],
  expect: [
    'refused', 'verdict', 'result', 'error', 'census', 'usage', 'phases', 'diagnostics', 'asked', 'problem', 'cancelled', 'mostAtWork', 'events',
  ],
};

const HANDLERS = {
  agent: (player, prompt, options, call) => player.agent(call),
  workflow: (player, ref, args, { signal }) => player.workflow(ref.scriptPath ?? ref, signal),
  sandboxExec: (player, profile, program, { signal }) => player.value('sandboxExec', { profile }, signal),
  ask: (player, question, { signal }) => player.value('ask', { question }, signal),
};
const hosts = new Map();
let count = 0;

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.json')).sort()) {
  for (const one of JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')).cases) {
    test(`${file}: ${one.name}`, (t) => goneThrough(t, one));
  }
}

after(() => Promise.all([...hosts.values()].map(async (host) => (await host).close())));

test('a member that this driver does not know is refused', () => {
  const expect = { verdict: 'completed' };
  for (const wrong of [
    { expect, agents: [] }, { expect: { results: 1 } }, { expect, agent: [{ waits: true }] }, { expect, agent: [{ fails: { code: 1 } }] },
    { expect, ask: [{ usage: { inputs: 1 } }] }, { expect, answers: [{ id: '1' }] }, { expect, agent: [{ progress: [{ value: 1 }] }] },
    { expect, resume: { expect, source: [] } },
  ]) assert.throws(() => requireKnown(wrong), /which this driver does not know/, JSON.stringify(wrong));
});

async function goneThrough(t, one) {
  requireKnown(one);
  const host = await hostFor(t, one);
  count += 1;
  const runId = `case-${count}`;
  await lived(host, one, runId, (events) => host.start(one.source.join('\n'), { ...beginOf(one), runId, ...events }));
  const { resume } = one;
  if (!resume) return;
  const { evenIfCancelled } = resume;
  await lived(host, resume, runId, (events) => host.resume(runId, { evenIfCancelled, ...events }));
}

function requireKnown(one, kind = 'case') {
  const require = (what, given = {}) => {
    const unknown = Object.keys(given).filter((name) => !KNOWN[what].includes(name));
    assert.deepEqual(unknown, [], `a ${what} has ${unknown}, which this driver does not know`);
  };
  require(kind, one);
  require('expect', one.expect);
  for (const answer of one.answers ?? []) require('answer', answer);
  for (const rule of Object.keys(HANDLERS).flatMap((name) => one[name] ?? [])) {
    require('rule', rule);
    require('fails', rule.fails);
    for (const told of rule.progress ?? []) require('progress', told);
    for (const { usage } of [rule, ...rule.progress ?? []]) require('usage', usage);
  }
  if (one.resume) requireKnown(one.resume, 'resume');
}

/** A host that asks this program what the case has rules for. Those without a store are shared. */
async function hostFor(t, one) {
  const kinds = Object.keys(HANDLERS).filter((kind) => kind in one || kind in (one.resume ?? {}));
  const handlers = Object.fromEntries(kinds.map((kind) => [kind, () => assert.fail('each run has handlers of its own')]));
  if (one.store) {
    const folder = mkdtempSync(join(tmpdir(), 'flowcage-'));
    const host = await Host.open({ command: HOST, args: ['--store', join(folder, 'runs.db')], ...handlers });
    t.after(async () => {
      await host.close();
      rmSync(folder, { recursive: true });
    });
    return host;
  }
  const key = kinds.join();
  if (!hosts.has(key)) hosts.set(key, Host.open({ command: HOST, args: ['--no-store'], ...handlers }));
  return hosts.get(key);
}

function beginOf({ args, sourceName, metadata, limits, options }) {
  return { args, sourceName, metadata, limits, ...options };
}

/** One life of a run, held to what the case expects. */
async function lived(host, life, runId, begin) {
  const { expect } = life;
  const events = [];
  const player = new Player(life, host, runId);
  const onEvent = (event) => {
    events.push(event);
    if (event.type === 'question_asked') player.outside(event.questionId);
  };
  let run;
  try {
    run = await begin({ onEvent, ...handlersOf(life, player) });
  } catch (error) {
    if (!(error instanceof HostRefused)) throw error;
    assert.ok(`${error.message} ${JSON.stringify(error.data)}`.includes(expect.refused ?? 'nothing is refused'), error);
    return;
  }
  assert.equal(expect.refused, undefined);
  const outcome = await run.ended();
  while (player.isAtWork) await setImmediate(); // what the host has dropped is about to hear of it
  assertTold(expect, outcome, events, player);
}

function handlersOf(life, player) {
  const kinds = Object.keys(HANDLERS).filter((kind) => kind in life);
  return Object.fromEntries(kinds.map((kind) => [kind, (...asked) => HANDLERS[kind](player, ...asked)]));
}

class Player {
  #rules;
  #host;
  #runId;
  #atWork = 0;
  #came = [];
  asked = [];
  problem = '';
  cancelled = 0;
  mostAtWork = 0;

  constructor(rules, host, runId) {
    this.#rules = rules;
    this.#host = host;
    this.#runId = runId;
  }

  async agent(call) {
    const { prompt, attempt, problem } = call;
    const again = problem !== null;
    this.asked.push(`${prompt} #${attempt}${again ? ' again' : ''}`);
    this.problem = problem ?? this.problem;
    const rule = this.#ruleFor('agent', { prompt, attempt, again, held: call.isHeld });
    for (const told of rule.progress ?? []) call.progress(told);
    await this.#atIt(rule, call.signal);
    const spent = Object.fromEntries(SPENT.filter((name) => name in rule).map((name) => [name, rule[name]]));
    const { kind, message, ...more } = rule.fails ?? {};
    if (kind) throw new (kind === 'fault' ? Error : ERRORS[kind])(message, { ...more, ...spent });
    return new AgentAnswer({ value: rule.value, ...spent });
  }

  async workflow(ref, signal) {
    const rule = this.#ruleFor('workflow', { ref });
    await this.#atIt(rule, signal);
    return { source: rule.source.join('\n'), sourceName: rule.sourceName ?? ref, modules: rule.modules };
  }

  async value(kind, asked, signal) {
    const rule = this.#ruleFor(kind, asked);
    await this.#atIt(rule, signal);
    return rule.value;
  }

  /** Answer a question from outside, as the case says. */
  async outside(questionId) {
    const answer = this.#rules.answers?.find((each) => each.questionId === questionId);
    if (answer?.rejects !== undefined) await this.#host.reject(this.#runId, questionId, answer.rejects);
    else if (answer) await this.#host.answer(this.#runId, questionId, answer.value);
  }

  #ruleFor(kind, asked) {
    const fits = (rule) => MATCHING.every((name) => !(name in rule) || rule[name] === asked[name]);
    const rule = this.#rules[kind].find(fits);
    assert.ok(rule, `no rule of the case answers ${JSON.stringify(asked)}`);
    return rule;
  }

  async #atIt(rule, signal) {
    this.#begin();
    try {
      while (this.mostAtWork < (rule.whenAtWork ?? 0)) await new Promise((resolve) => { this.#came.push(resolve); });
      if (rule.cancels) this.#host.cancel(this.#runId, 'enough');
      if (rule.cancels || rule.never) await dropped(signal);
      if (rule.rejects !== undefined) throw new RequestRejected(rule.rejects);
    } catch (error) {
      if (signal.aborted) this.cancelled += 1;
      throw error;
    } finally {
      this.#atWork -= 1;
    }
  }

  get isAtWork() {
    return this.#atWork > 0;
  }

  #begin() {
    this.#atWork += 1;
    this.mostAtWork = Math.max(this.mostAtWork, this.#atWork);
    for (const come of this.#came.splice(0)) come();
  }
}

function dropped(signal) {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

function assertTold(expect, outcome, events, player) {
  assert.equal(outcome.verdict, expect.verdict, JSON.stringify(outcome));
  for (const name of ['error', 'census', 'usage']) assertMembers(outcome[name] ?? {}, expect[name] ?? {});
  const seen = {
    result: outcome.result,
    phases: outcome.phases?.map(({ title }) => title),
    diagnostics: outcome.diagnostics?.map(({ kind }) => kind),
    asked: player.asked,
    cancelled: player.cancelled,
    mostAtWork: player.mostAtWork,
  };
  for (const name of Object.keys(seen)) if (name in expect) assert.deepEqual(seen[name], expect[name], name);
  assert.ok(player.problem.includes(expect.problem ?? ''), player.problem);
  const types = new Set(expect.events?.map(({ type }) => type));
  const told = events.filter(({ type }) => types.has(type));
  assert.deepEqual(told.map(({ type }) => type), (expect.events ?? []).map(({ type }) => type));
  told.forEach((event, at) => assertMembers(event, expect.events[at]));
}

function assertMembers(told, wanted) {
  const members = Object.fromEntries(Object.keys(wanted).map((name) => [name, told[name] ?? null]));
  assert.deepEqual(members, wanted);
}
