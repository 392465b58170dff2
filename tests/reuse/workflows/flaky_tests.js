export const meta = { name: 'flaky-tests', phases: [{ title: 'Run' }, { title: 'Explain' }] };
const tests = Array.from({ length: 10 }, (_, i) => `test ${i}`);
const runs = await parallel(tests.flatMap((test) => [1, 2].map((n) => () => agent(`Run ${test}, time ${n}`, { label: `${test}.${n}`, phase: 'Run', schema: { enum: ['passes', 'fails'] } }))));
const odd = tests.filter((_, i) => runs[2 * i] !== runs[2 * i + 1]);
return await parallel(odd.map((test) => () => agent(`Why is ${test} flaky?`, { label: `why ${test}`, phase: 'Explain' })));
