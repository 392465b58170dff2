export const meta = { name: 'docs-check', phases: [{ title: 'Check' }] };
const pages = Array.from({ length: 11 }, (_, i) => `docs/page${i}.md`);
const problems = await parallel(pages.map((page) => () => agent(`Check every command on ${page}`, { label: page, phase: 'Check', agentType: 'reader' })));
const links = await parallel(pages.map((page) => () => agent(`Check the links on ${page}`, { label: `links ${page}`, phase: 'Check' })));
return { problems: problems.filter(Boolean).length, links: links.filter(Boolean).length };
