export const meta = { name: 'sleeps' };
const log1 = [];
for (let i = 0; i < 4; i++) {
  log1.push(await agent(`Poll the build, time ${i}`, { label: `poll ${i}` }));
  await SW.extra.sleep(1);
}
const all = await parallel(['a', 'b', 'c'].map((part) => async () => { await SW.extra.sleep(2); return agent(`Read the log of ${part}`, { label: part }); }));
return [log1, all];
