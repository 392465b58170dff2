// Compiled beside clients/node's types: what an embedder writes, and what the types refuse.
import {
  Child, ChildDied, RequestRejected, RunError, WorkflowFailed, connect, run, spawnChild,
  type Outcome, type RunOptions, type wire,
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

// @ts-expect-error no such limit
run('return 1', { limits: { memoryMegabytes: 1 } });
// @ts-expect-error a limit that no run can lower
Child.prototype.run({ source: '', limits: { maxMessageBytes: 1 } });
// @ts-expect-error a prompt is text
run('return 1', { agent: (prompt: number) => prompt });
// @ts-expect-error only Child.open makes one
new Child();
