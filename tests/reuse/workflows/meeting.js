export const meta = { name: 'meeting' };
const roles = ['engineer', 'designer', 'lawyer', 'customer', 'accountant'];
const views = await parallel(roles.map((role) => () => agent(`As the ${role}, comment on ${args.topic}`, { label: role })));
const replies = await parallel(roles.map((role) => () => agent(`As the ${role}, what must not happen with ${args.topic}?`, { label: `${role} again` })));
return { views: views.length, replies: replies.length, minutes: await agent('Write the frame of the minutes', { label: 'minutes' }) };
