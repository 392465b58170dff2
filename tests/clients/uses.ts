// Compiled beside clients/node's types: what an embedder writes, and what the types refuse.
import {
  AgentAnswer, AgentError, Child, ChildDied, Host, HostRefused, RequestRejected, RunError, WorkflowFailed, connect, run,
  spawnChild, type Outcome, type RunOptions, type RunOutcome, type wire,
} from 'flowcage';

const budget: wire.Budget = { total: 100, spent: 0 };
const controller = new AbortController();
const options: RunOptions = {
  transport: connect('/run/flowcage.sock'),
  args: { topic: 'tides' },
  budget,
  signal: controller.signal,
  limits: { cpuSeconds: 10 },
  agent: async (prompt, { label }, { id, signal }) => {
    if (signal.aborted) throw new RequestRejected(`${id}: too late`);
    budget.spent += prompt.length;
    return { label, answer: prompt.toUpperCase() };
  },
  workflow: async (ref, args) => (await run(typeof ref === 'string' ? ref : ref.scriptPath, { args })).result,
  sandboxExec: (profile, { command, args = [] }) => [profile, command, ...args],
  onLog: (values) => console.log(...values),
};

export async function use(): Promise<unknown> {
  try {
    const { result, usage }: Outcome = await run('return 1', options);
    return [result, usage.wallMs.toFixed()];
  } catch (error) {
    if (error instanceof WorkflowFailed) return [error.kind, error.workflowStack];
    if (error instanceof ChildDied) return [error.signal, error.exitCode];
    return error instanceof RunError && error.report?.logs;
  }
}

export async function inTwoMessages(): Promise<wire.AdvanceResult | undefined> {
  const child = await Child.open(spawnChild());
  await child.initialize();
  if (!child.methods.includes('advance')) return undefined;
  const { dialect, requests }: wire.RunResult = await child.run({ source: 'return 1', limits: { cpuSeconds: 1 } });
  const value = dialect === 'script';
  return child.advance([requests.map(({ id }) => ({ id, resolution: { type: 'ok', value } }))]);
}

export async function byHand(): Promise<wire.DrainResult> {
  const child = await Child.open(spawnChild({ command: ['flowcage-child'] }));
  await child.initialize({ limits: { memoryBytes: 2 ** 26 } });
  await child.start({ source: 'return 1', dialect: 'script' });
  const drained = await child.drain();
  for (const request of drained.requests) {
    if (request.type === 'agent') await child.resolve(request.id, { type: 'ok', value: request.prompt });
  }
  await child.close();
  return drained;
}

export async function withAHost(): Promise<RunOutcome | string> {
  const host = await Host.open({
    args: ['--store', 'runs.db'],
    agent: async (prompt, { model }, { attempt, signal, progress }) => {
      if (signal.aborted) throw new AgentError('too late', { costUsd: 0.1 });
      progress({ text: `attempt ${attempt.toFixed()} with ${String(model)}` });
      return new AgentAnswer({ text: prompt, usage: { input: 3 }, costUsd: 0.2 });
    },
    workflow: (ref) => ({ source: 'return 1', sourceName: typeof ref === 'string' ? ref : ref.scriptPath }),
    ask: (question, { options: [first] }) => first?.value ?? question,
  });
  try {
    const started = await host.start('return 1', { args: 1, maxCostUsd: 2, events: true, limits: { cpuSeconds: 10 } });
    for await (const { type, seq } of started) console.log(type, seq?.toFixed());
    return await started.outcome();
  } catch (error) {
    if (error instanceof HostRefused) return error.kind;
    return error instanceof RunError && error.outcome !== undefined ? error.outcome : String(error);
  } finally {
    await host.close();
  }
}

// @ts-expect-error no such option
Host.open().then((host) => host.run('return 1', { maxAgent: 1 }));
// @ts-expect-error only Host.open makes one
new Host();
// @ts-expect-error no such limit
run('return 1', { limits: { memoryMegabytes: 1 } });
// @ts-expect-error a limit that no run can lower
Child.prototype.run({ source: '', limits: { maxMessageBytes: 1 } });
// @ts-expect-error a prompt is text
run('return 1', { agent: (prompt: number) => prompt });
// @ts-expect-error only Child.open makes one
new Child();
