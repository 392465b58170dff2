// The cases that hosts in every language go through: tests/clients/cases/README.md.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { AgentAnswer, AgentError, AgentsUnavailable, Host, HostRefused, OptionNotHonoured, RequestRejected, WrongAnswer } from '../index.js';
import { HOST } from './support.js';

const FOLDER = new URL('../../../tests/clients/cases/', import.meta.url);
const RUN_ID = 'case';
const ERRORS = { failed: AgentError, unavailable: AgentsUnavailable, option_not_honoured: OptionNotHonoured, wrong_answer: WrongAnswer };
const MATCHING = ['prompt', 'attempt', 'again', 'ref', 'profile', 'question'];
const SPENT = ['usage', 'costUsd', 'model', 'sessionId'];

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.json')).sort()) {
  for (const one of JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')).cases) {
    test(`${file}: ${one.name}`, (t) => goneThrough(t, one));
  }
}

async function goneThrough(t, one) {
  const folder = mkdtempSync(join(tmpdir(), 'flowcage-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const args = one.store ? ['--store', join(folder, 'runs.db')] : ['--no-store'];
  const lives = one.resume ? [one, { ...one.resume, runId: RUN_ID }] : [one];
  let player;
  const rules = Object.assign({}, ...lives);
  const host = await Host.open({ command: HOST, args, ...handlersOf(rules, () => player) });
  try {
    for (const life of lives) {
      player = new Player(life, () => host.cancel(RUN_ID, 'enough'));
      await lived(host, life, player);
    }
  } finally {
    await host.close();
  }
}

async function lived(host, life, player) {
  const { args, sourceName, metadata, limits, options, evenIfCancelled, expect } = life;
  const events = [];
  const hear = (event) => {
    events.push(event);
    if (event.type === 'question_asked') player.outside(host, event.questionId);
  };
  const begin = { args, sourceName, metadata, limits, ...options, onEvent: hear };
  let run;
  try {
    run = life.runId
      ? await host.resume(RUN_ID, { evenIfCancelled, onEvent: hear })
      : await host.start(life.source.join('\n'), { ...begin, runId: RUN_ID });
  } catch (error) {
    if (!(error instanceof HostRefused)) throw error;
    assert.match(`${error.message} ${JSON.stringify(error.data)}`, new RegExp(expect.refused ?? 'nothing is refused'));
    return;
  }
  assert.equal(expect.refused, undefined);
  assertTold(expect, await run.ended(), events, player);
}

/** Handlers of every kind that has rules, of whichever player has its turn. */
function handlersOf(rules, player) {
  const own = {
    agent: (prompt, options, call) => player().agent(call),
    workflow: (ref, args, call) => player().workflow(ref.scriptPath ?? ref, call.signal),
    sandboxExec: (profile, program, call) => player().value('sandboxExec', { profile }, call.signal),
    ask: (question, call) => player().value('ask', { question }, call.signal),
  };
  return Object.fromEntries(Object.entries(own).filter(([name]) => name in rules));
}

class Player {
  #rules;
  #cancel;
  #atWork = 0;
  #came = [];
  asked = [];
  problem = '';
  cancelled = 0;
  mostAtWork = 0;

  constructor(rules, cancel) {
    this.#rules = rules;
    this.#cancel = cancel;
  }

  async agent(call) {
    const { prompt, attempt, problem } = call;
    const again = problem !== null;
    this.asked.push(`${prompt} #${attempt}${again ? ' again' : ''}`);
    this.problem = problem ?? this.problem;
    const rule = this.#ruleFor('agent', { prompt, attempt, again });
    for (const told of rule.progress ?? []) call.progress(told);
    await this.#atIt(rule, call.signal);
    const spent = Object.fromEntries(SPENT.filter((name) => name in rule).map((name) => [name, rule[name]]));
    if (rule.fails) throw new (ERRORS[rule.fails.kind] ?? Error)(rule.fails.message, spent);
    return new AgentAnswer({ value: rule.value, ...spent });
  }

  async workflow(ref, signal) {
    const rule = this.#ruleFor('workflow', { ref });
    await this.#atIt(rule, signal);
    return { source: rule.source.join('\n'), sourceName: rule.sourceName ?? ref };
  }

  async value(kind, asked, signal) {
    const rule = this.#ruleFor(kind, asked);
    await this.#atIt(rule, signal);
    return rule.value;
  }

  /** Answer a question from outside, as the case says. */
  async outside(host, questionId) {
    const answer = this.#rules.answers?.find((each) => each.questionId === questionId);
    if (answer?.rejects !== undefined) await host.reject(RUN_ID, questionId, answer.rejects);
    else if (answer) await host.answer(RUN_ID, questionId, answer.value);
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
      if (rule.cancels) this.#cancel();
      if (rule.cancels || rule.never) await dropped(signal);
      if (rule.rejects !== undefined) throw new RequestRejected(rule.rejects);
    } catch (error) {
      if (signal.aborted) this.cancelled += 1;
      throw error;
    } finally {
      this.#atWork -= 1;
    }
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
