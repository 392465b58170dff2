export const meta = { name: 'catalogue', phases: [{ title: 'Describe' }, { title: 'Tag' }] };
const products = Array.from({ length: 20 }, (_, i) => `product ${i}`);
const described = await pipeline(
  products,
  (product) => agent(`Describe ${product} in one sentence`, { label: product, phase: 'Describe' }),
  (text, product) => agent(`Tag this description: ${text}`, { label: `tags of ${product}`, phase: 'Tag' }),
);
const cover = await agent('Write the cover text of the catalogue', { label: 'cover' });
return { described: described.filter(Boolean).length, cover };
