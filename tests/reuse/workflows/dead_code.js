export const meta = { name: 'dead-code', phases: [{ title: 'Find' }, { title: 'Confirm' }] };
const folders = ['api', 'core', 'db', 'ui', 'util', 'jobs', 'auth'];
phase('Find');
const found = await parallel(folders.map((folder) => () => agent(`Find code in ${folder} that nothing uses`, { label: `find ${folder}` })));
phase('Confirm');
const sure = await parallel(folders.map((folder, i) => () => (found[i] ? agent(`Is it safe to remove this from ${folder}? ${found[i]}`, { label: `confirm ${folder}` }) : null)));
return sure.filter(Boolean).length;
