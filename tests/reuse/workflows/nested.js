export const meta = { name: 'nested', phases: [{ title: 'Parts' }, { title: 'Whole' }] };
phase('Parts');
const parts = await parallel(args.files.map((file) => () => workflow('kid', { name: file })));
phase('Whole');
return await agent(`Put together: ${parts.map((each) => each.summary).join('; ')}`, { label: 'whole' });
