// What an author may write, and the types it has. Nothing here may be an error.
import extra, { sleep } from 'workflow:extra';
import sandbox, { exec } from 'workflow:sandbox';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

// Fails to compile unless the value's type is exactly `Expected`: is<string>()(value, true).
const is = <Expected>() => <Actual>(_value: Actual, _same: Same<Actual, Expected>) => {};

interface Finding {
  file: string;
  line: number;
}

export const meta = {
  name: 'accepted',
  description: 'Everything once',
  phases: [{ title: 'Ask' }, { title: 'Check', detail: 'twice', model: 'small', provider: 'local' }],
  whenToUse: 'in tests',
} satisfies WorkflowMeta;

// agent
is<string>()(await agent('a'), true);
is<string>()(await agent('a', {}), true);
is<string>()(await agent('a', null), true);
is<string>()(await agent('a', { label: 'l', phase: 'p', model: 'm', provider: 'v', effort: 'low', heat: 3 }), true);
is<string>()(await agent('a', { agentType: 'reviewer', isolation: 'worktree', continue: 'agent:1' }), true);
is<AgentAnswered<string>>()(await agent('a', { handle: true }), true);
is<AgentAnswered<any>>()(await agent('a', { handle: true, schema: true }), true);
is<Finding>()((await agent<Finding>('a', { handle: true, schema: true })).value, true);
is<string>()(await agent('a', { handle: false, continue: null }), true);
is<string>()(await agent('a', { retry: { maxAttempts: 3, backoffMs: 500 }, timeoutMs: 60_000 }), true);
is<string>()(await agent('a', { retry: { backoffMs: null }, timeoutMs: undefined }), true);
is<string>()(await agent('a', { label: undefined, phase: null, schema: null }), true);
is<any>()(await agent('a', { schema: { type: 'object', properties: { file: { type: 'string' } } } }), true);
is<any>()(await agent('a', { schema: true }), true);
is<Finding>()(await agent<Finding>('a', { schema: { type: 'object' } }), true);
is<'yes' | 'no'>()(await agent<'yes' | 'no'>('a'), true);
const options: AgentOptions = { schema: { type: 'array' }, label: 'l' };
is<Finding[]>()(await agent<Finding[]>('a', options), true);

// workflow, log, phase
is<any>()(await workflow('child'), true);
is<Finding>()(await workflow<Finding>({ scriptPath: 'child.js' }, { topic: 'tides' }), true);
is<void>()(log('read', 3, { files: [null] }), true);
log();
is<void>()(phase('Check'), true);
phase('Check', { detail: 'twice', icon: '?' });
phase('Check', null);

// parallel: a tuple stays one, an array stays one, every result may be null
is<[]>()(await parallel([]), true);
is<[string | null, number | null]>()(await parallel([() => agent('a'), () => 1]), true);
is<(string | null)[]>()(await parallel(['a', 'b'].map((side) => () => agent(side))), true);
const tasks: readonly (() => Promise<Finding>)[] = [];
is<(Finding | null)[]>()(await parallel(tasks), true);
const [first, second] = await parallel([async () => ({ file: 'f' }), () => parallel([() => sleep(1)])]);
is<{ file: string } | null>()(first, true);
is<[void | null] | null>()(second, true);

// pipeline: each stage gets the last one's value, the item and the index
const items = ['a', 'b'] as const;
is<(number | null)[]>()(await pipeline([1, Promise.resolve(2)]), true);
is<(string | null)[]>()(await pipeline(items, (value) => agent(value)), true);
const five = await pipeline(
  items,
  (value, item, index) => {
    is<'a' | 'b'>()(value, true);
    is<'a' | 'b'>()(item, true);
    is<number>()(index, true);
    return agent<Finding>(value, { schema: {} });
  },
  (value, item) => {
    is<Finding>()(value, true);
    is<'a' | 'b'>()(item, true);
    return value.line;
  },
  async (value) => {
    is<number>()(value, true);
    return [value];
  },
  ([value], item) => ({ value, item }),
  ({ value, item }, _item, index) => `${value}${item}${index}`,
);
is<(string | null)[]>()(five, true);
const same = (value: string) => value;
is<any[]>()(await pipeline(items, same, same, same, same, same, same, same), true);

// budget, SW and the virtual modules
is<number | null>()(budget.total, true);
is<number>()(budget.spent(), true);
is<number>()(budget.remaining(), true);
is<void>()(await sleep(10), true);
is<void>()(await extra.sleep(10), true);
is<void>()(await SW.extra.sleep(0.5), true);
is<any>()(await exec('build', { command: 'make' }), true);
is<{ code: number }>()(
  await sandbox.exec<{ code: number }>('build', {
    command: 'make',
    args: ['test'] as const,
    cwd: 'src',
    env: { LANG: 'C' },
    stdin: '',
  }),
  true,
);
await SW.sandbox.exec('build', { command: 'make', args: null, cwd: undefined });

// args: undeclared members are any; declared ones are typed, and readonly to the leaves
declare global {
  interface WorkflowArgs {
    sizes?: { wide: number[] };
  }
}
is<any>()(args.other, true);
is<readonly number[] | undefined>()(args.sizes?.wide, true);

const untyped: Workflow = async ({ topic = 'octopuses' }, { agent, args }) => agent(topic + args.more);
const typed: Workflow<{ topics: string[] }, number> = (given, context) => {
  is<readonly string[]>()(given.topics, true);
  is<readonly string[]>()(context.args.topics, true);
  is<typeof agent>()(context.agent, true);
  return context.sandbox.exec<number>('count', { command: 'wc', args: given.topics });
};
const plain: Workflow<{ size: number }, number> = ({ size }) => size + 1;
const written = async ({ rounds = 3 }: { rounds?: number }, { budget }: WorkflowContext) => budget.spent() / rounds;
export default [untyped, typed, plain, written] satisfies Workflow<any>[];
