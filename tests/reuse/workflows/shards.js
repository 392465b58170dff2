export const meta = { name: 'shards', phases: [{ title: 'Map' }, { title: 'Reduce' }] };
const shards = Array.from({ length: 24 }, (_, i) => i);
const mapped = await parallel(shards.map((i) => () => agent(`Extract the names from shard ${i}`, { label: `map ${i}`, phase: 'Map' })));
const groups = [0, 1, 2, 3].map((g) => mapped.slice(g * 6, g * 6 + 6));
return await parallel(groups.map((group, g) => () => agent(`Merge these lists: ${group.filter(Boolean).join(' | ')}`, { label: `reduce ${g}`, phase: 'Reduce' })));
