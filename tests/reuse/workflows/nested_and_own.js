export const meta = { name: 'nested-and-own' };
const [kid, own] = await Promise.all([
  workflow('kid', { name: args.topic }),
  pipeline(args.items.slice(0, 3), (item) => agent(`Describe ${item}`, { label: `describe ${item}` }), (text, item) => agent(`Shorten ${item}: ${text}`, { label: `shorten ${item}` })),
]);
return await agent(`Compare ${kid.summary} with ${own.join()}`, { label: 'compare' });
