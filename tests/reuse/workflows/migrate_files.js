export const meta = { name: 'migrate-files', phases: [{ title: 'Migrate' }, { title: 'Check' }] };
const done = await pipeline(
  args.files,
  (file) => agent(`Migrate ${file} to the new API and say what was changed.`, { label: file, phase: 'Migrate' }),
  (change, file) => agent(`Run the tests of ${file}; the change was: ${change}`, { label: `test ${file}`, phase: 'Check' }),
  (result, file) => agent(`Commit ${file} with a message about: ${result}`, { label: `commit ${file}`, phase: 'Check' }),
);
return done;
