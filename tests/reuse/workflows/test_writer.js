export const meta = { name: 'test-writer', phases: [{ title: 'Read' }, { title: 'Write' }, { title: 'Run' }] };
const modules = Array.from({ length: 9 }, (_, i) => `src/m${i}.ts`);
const results = await pipeline(
  modules,
  (file) => agent(`Read ${file} and list what is untested.`, { label: `read:${file}`, phase: 'Read' }),
  (gaps, file) => agent(`Write tests for ${file}: ${gaps}`, { label: `write:${file}`, phase: 'Write', effort: 'high' }),
  (tests, file) => agent(`Run the tests of ${file} and say how many fail.`, { label: `run:${file}`, phase: 'Run' }),
);
log(`${results.filter(Boolean).length} of ${modules.length} are done`);
return await agent('Update the changelog about tests', { label: 'changelog' });
