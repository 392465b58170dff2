export const meta = { name: 'rounds-until-dry' };
const seen = [];
for (let round = 1; round <= 5; round++) {
  const found = await parallel([1, 2, 3].map((n) => () => agent(`Round ${round}, finder ${n}: find a bug in ${args.topic}`, { label: `find ${round}.${n}` })));
  const fresh = found.filter(Boolean).filter((each) => !seen.includes(each));
  if (!fresh.length) break;
  seen.push(...fresh);
}
return await agent(`Rank ${seen.length} bugs by harm`, { label: 'rank' });
