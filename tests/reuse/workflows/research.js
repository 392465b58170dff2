export const meta = { name: 'research', phases: [{ title: 'Plan' }, { title: 'Search' }, { title: 'Write' }] };
phase('Plan');
const plan = await agent(`Name angles from which to research: ${args.question}`, { label: 'plan', schema: { type: 'object', required: ['angles'], properties: { angles: { type: 'array', minItems: 5, items: { type: 'string' } } } } });
phase('Search');
const notes = await parallel(plan.angles.map((angle, i) => () => agent(`Search the web for ${angle} about ${args.question}`, { label: `search ${i}` })));
const checked = await parallel(notes.filter(Boolean).map((note, i) => () => agent(`Check the sources of this note: ${note}`, { label: `check ${i}` })));
phase('Write');
return await agent(`Write a page from these notes:\n${checked.filter(Boolean).join('\n')}`, { label: 'write' });
