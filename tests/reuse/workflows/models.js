export const meta = { name: 'models', phases: [{ title: 'Cheap', model: 'small' }, { title: 'Dear', model: 'large', provider: 'p' }] };
phase('Cheap');
const sorted = await parallel(args.items.map((item) => () => agent(`Sort ticket ${item}`, { label: item, phase: 'Cheap', schema: { enum: ['bug', 'wish', 'question'] } })));
phase('Dear');
const bugs = args.items.filter((_, i) => sorted[i] !== 'wish');
return await parallel(bugs.map((item) => () => agent(`Find the cause of ${item}`, { label: `cause ${item}`, phase: 'Dear' })));
