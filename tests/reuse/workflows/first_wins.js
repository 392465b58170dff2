export const meta = { name: 'first-wins' };
const tries = args.items.slice(0, 4).map((item) => agent(`Try approach ${item}`, { label: `try ${item}` }));
const first = await Promise.race(tries);
const plan = await agent(`Go on with: ${first}`, { label: 'go on' });
const rest = await Promise.all(tries);
return await agent(`Compare ${plan} with ${rest.length} others`, { label: 'compare' });
