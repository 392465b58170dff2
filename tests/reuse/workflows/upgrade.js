export const meta = { name: 'upgrade', phases: [{ title: 'Read' }, { title: 'Upgrade' }, { title: 'Verify' }] };
phase('Read');
const [notes, usage] = await parallel([
  () => agent('Read the release notes and list what breaks', { label: 'notes' }),
  () => agent('List where the package is used', { label: 'usage' }),
]);
phase('Upgrade');
const packages = ['app', 'admin', 'worker', 'cli', 'sdk'];
const changed = await parallel(packages.map((name) => () => agent(`Upgrade ${name}`, { label: `upgrade ${name}`, isolation: 'worktree' })));
phase('Verify');
const built = await parallel(packages.map((name) => () => agent(`Build and test ${name}`, { label: `verify ${name}` })));
return { notes, usage, changed: changed.length, built: built.length };
