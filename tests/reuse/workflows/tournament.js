export const meta = { name: 'tournament' };
let field = await parallel(Array.from({ length: 8 }, (_, i) => () => agent(`Draft number ${i} of ${args.topic}`, { label: `draft ${i}` })));
let round = 0;
while (field.length > 1) {
  round++;
  const pairs = [];
  for (let i = 0; i < field.length; i += 2) pairs.push([field[i], field[i + 1]]);
  field = await parallel(pairs.map(([a, b], i) => () => agent(`Which is better?\n1. ${a}\n2. ${b}`, { label: `round ${round} pair ${i}` })));
}
return field[0];
