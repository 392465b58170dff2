export const meta = { name: 'tree' };
const grow = async (node, depth) => {
  const text = await agent(`Expand ${node}`, { label: node });
  if (depth === 0) return [text];
  const below = await parallel(['l', 'r'].map((side) => () => grow(`${node}${side}`, depth - 1)));
  return [text, ...below.filter(Boolean).flat()];
};
const all = await grow('root', 3);
return await agent(`Sum up a tree of ${all.length} nodes`, { label: 'sum' });
