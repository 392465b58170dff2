export const meta = { name: 'changelogs', phases: [{ title: 'Read' }, { title: 'Write' }] };
const weeks = Array.from({ length: 15 }, (_, i) => `week ${i}`);
const notes = await pipeline(
  weeks,
  (week) => agent(`Read the commits of ${week}`, { label: `read ${week}`, phase: 'Read' }),
  (commits, week) => agent(`Write the entry of ${week}: ${commits}`, { label: `write ${week}`, phase: 'Write' }),
);
return { notes: notes.filter(Boolean), title: await agent('Name the release', { label: 'title' }) };
