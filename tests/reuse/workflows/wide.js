export const meta = { name: 'wide' };
const all = await parallel(Array.from({ length: 30 }, (_, i) => () => agent(`Classify document ${i}`, { label: `doc ${i}`, schema: { enum: ['a', 'b', 'c'] } })));
const counts = {};
for (const each of all) if (each) counts[each] = (counts[each] || 0) + 1;
const odd = await agent(`Which of these counts looks odd? ${JSON.stringify(counts)}`, { label: 'odd' });
return { counts, odd };
