// A script in JavaScript is held to the same types.
export const meta = { name: 'refused' };

// @ts-expect-error TS2552
const answer = await agnet('a');
// @ts-expect-error TS2551
budget.remainig();
const [, verdict] = await parallel([() => agent('a', { schema: { type: 'object' } }), () => agent('b')]);
// @ts-expect-error TS2345
await SW.extra.sleep(verdict);
// @ts-expect-error TS2339
return (await agent('c')).findings;
