export const meta = { name: 'interviews', phases: [{ title: 'Ask' }, { title: 'Sum up' }] };
phase('Ask');
const people = ['buyer', 'seller', 'carrier', 'bank', 'customs', 'insurer'];
const talks = await parallel(people.map((person) => async () => {
  const first = await agent(`As a ${person}: what is hard about ${args.topic}?`, { label: person });
  const second = await agent(`As a ${person}, you said: ${first}. What would help?`, { label: `${person} 2` });
  return { person, first, second };
}));
phase('Sum up');
return await parallel(['needs', 'risks', 'costs'].map((what) => () => agent(`List the ${what} that ${people.length} people named`, { label: what })));
