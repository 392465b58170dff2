export const meta = { name: 'two-streams' };
const stream = async (name) => {
  const out = [];
  for (let i = 0; i < 4; i++) out.push(await agent(`Stream ${name}, part ${i} after ${out.at(-1) || 'nothing'}`, { label: `${name}${i}` }));
  return out;
};
const [a, b] = await Promise.all([stream('left'), stream('right')]);
return await agent(`Merge ${a.at(-1)} and ${b.at(-1)}`, { label: 'merge' });
