export const meta = { name: 'kid' };
const parts = await parallel(['head', 'body', 'tail'].map((part) => () => agent(`Read the ${part} of ${args.name}`, { label: part })));
const summary = await agent(`Sum up ${args.name}: ${parts.filter(Boolean).join(', ')}`, { label: 'sum' });
return { summary };
