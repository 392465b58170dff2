export const meta = { name: 'race-order' };
const done = [];
await parallel(args.items.map((item) => async () => {
  const answer = await agent(`Look at item ${item}`, { label: `look ${item}` });
  done.push(item);
  await agent(`Item ${item} came as number ${done.length}: ${answer}`, { label: `after ${item}` });
}));
return done;
