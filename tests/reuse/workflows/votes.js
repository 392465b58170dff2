// equal prompts
export const meta = { name: 'votes', phases: [{ title: 'Propose' }, { title: 'Judge' }] };
phase('Propose');
const ideas = await parallel(Array.from({ length: 6 }, () => () => agent(`Propose a name for ${args.topic}`)));
phase('Judge');
const scores = await parallel(ideas.map((idea, i) => () => agent(`Judge from 0 to 10: ${idea}`, { label: `judge ${i}`, schema: { type: 'object', required: ['score'], properties: { score: { type: 'integer', minimum: 0, maximum: 10 } } } })));
const best = ideas[scores.map((each) => (each ? each.score : -1)).reduce((top, score, i, all) => (score > all[top] ? i : top), 0)];
return await agent(`Say why this is a good name: ${best}`);
