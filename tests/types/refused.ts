// What an author gets wrong. Each line below a directive must be this error.
import { sleep } from 'workflow:extra';
import { exec } from 'workflow:sandbox';
// @ts-expect-error TS2307
import { readFile } from 'node:fs';
// @ts-expect-error TS2307
import clock from 'workflow:clock';
// @ts-expect-error TS2614
import { wait } from 'workflow:extra';

// Calls of other dialects
// @ts-expect-error TS2345
agent({ prompt: 'a' });
// @ts-expect-error TS2554
agent();
// @ts-expect-error TS2322
parallel([agent('a')]);
// @ts-expect-error TS2353
parallel({ a: () => agent('a') });
// @ts-expect-error TS2322
parallel([(name: string) => agent(name)]);
// @ts-expect-error TS2304
loop();
// @ts-expect-error TS2304
context.args;

// agent, workflow, phase
// @ts-expect-error TS2769
agent('a', 'label');
// @ts-expect-error TS2769
agent('a', { label: 1 });
// @ts-expect-error TS2769
agent('a', { schema: 'object' });
// @ts-expect-error TS2769
agent('a', { retry: 3 });
// @ts-expect-error TS2769
agent('a', { retry: { attempts: 3 } });
// @ts-expect-error TS2769
agent('a', { timeoutMs: '1s' });
// @ts-expect-error TS2769
agent('a', { isolation: 'sandbox' });
// @ts-expect-error TS2769
agent('a', { continue: { value: 'a', handle: 'agent:1' } });
// @ts-expect-error TS2339
(await agent('a')).file;
// @ts-expect-error TS2322
const count: number = await agent('a');
// @ts-expect-error TS2345
workflow(5);
// @ts-expect-error TS2353
workflow({ path: 'child.js' });
// @ts-expect-error TS2345
phase(1);
// @ts-expect-error TS2345
phase('a', 'detail');

// Results that may be null
const reviews = await parallel([() => agent('a'), () => agent('b')]);
// @ts-expect-error TS2531
reviews[0].length;
// @ts-expect-error TS2493
reviews[2];
const summed = await pipeline([1, 2], (n) => n + 1);
// @ts-expect-error TS2531
summed[0].toFixed();

// Stages
// @ts-expect-error TS2345
pipeline(5, (n) => n);
// @ts-expect-error TS2345
pipeline([1], agent('a'));
// @ts-expect-error TS2322
pipeline([1], (n) => `${n}`, (n: number) => n + 1);
// @ts-expect-error TS2339
pipeline([1], (n) => agent(`${n}`), (answer) => answer.file);
// @ts-expect-error TS2345
pipeline([1], (n) => n, (n, item: string) => n);

// Times and programs
// @ts-expect-error TS2345
sleep('10');
// @ts-expect-error TS2345
exec('build', 'make');
// @ts-expect-error TS2345
exec('build', { args: ['test'] });
// @ts-expect-error TS2322
exec('build', { command: 'make', args: 'test' });
// @ts-expect-error TS2322
exec('build', { command: 'make', env: { DEPTH: 1 } });

// What nobody can write to
declare const given: WorkflowContext<{ sizes: { wide: number[] } }>;
// @ts-expect-error TS2339
given.args.sizes.wide.push(1);
// @ts-expect-error TS2540
given.args.sizes.wide = [];
// @ts-expect-error TS2542
given.args.sizes.wide[0] = 1;
// @ts-expect-error TS2540
given.agent = agent;
// @ts-expect-error TS2339
given.args.other;
// @ts-expect-error TS2542
args.other = 'whales';
// @ts-expect-error TS2588
args = {};
// @ts-expect-error TS2630
agent = () => Promise.resolve('');
// @ts-expect-error TS2540
budget.total = 5;
// @ts-expect-error TS2540
SW.extra = { sleep };

// meta
// @ts-expect-error TS1360
({ description: 'no name' }) satisfies WorkflowMeta;
// @ts-expect-error TS2322
({ name: 'n', phases: ['Review'] }) satisfies WorkflowMeta;
// @ts-expect-error TS2741
({ name: 'n', phases: [{ detail: 'no title' }] }) satisfies WorkflowMeta;

// A default function with a third parameter, or with args that are not as declared
// @ts-expect-error TS2322
const three: Workflow = (_args: object, _context: object, _host: object) => agent('a');
// @ts-expect-error TS2322
const plain: Workflow<any, number> = () => agent('a');
// @ts-expect-error TS2322
const other: Workflow<{ topic: string }> = ({ topic }: { topic: number }) => agent(`${topic}`);

// What other runtimes have
// @ts-expect-error TS2584
console.log('a');
// @ts-expect-error TS2304
setTimeout(() => {}, 1);
// @ts-expect-error TS2304
fetch('a');
// @ts-expect-error TS2591
process.env;
// @ts-expect-error TS2591
require('fs');
// @ts-expect-error TS2591
Buffer.from('a');
// @ts-expect-error TS2304
performance.now();
// @ts-expect-error TS2304
structuredClone({});
