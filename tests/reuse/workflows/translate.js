export const meta = { name: 'translate', phases: [{ title: 'Glossary' }, { title: 'Translate' }, { title: 'Proofread' }] };
const glossary = await agent(`Make a glossary for ${args.topic}`, { label: 'glossary', phase: 'Glossary' });
const languages = ['de', 'fr', 'es', 'it', 'pt', 'nl', 'pl', 'sv', 'fi', 'da', 'cs', 'el'];
const pages = await parallel(languages.map((language) => () => agent(`Translate the page on ${args.topic} to ${language}. Glossary: ${glossary}`, { label: language, phase: 'Translate' })));
const notes = await parallel(languages.map((language, i) => () => agent(`Proofread (${language}): ${pages[i]}`, { label: `proof ${language}`, phase: 'Proofread' })));
return notes.filter(Boolean).length;
