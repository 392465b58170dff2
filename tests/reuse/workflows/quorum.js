export const meta = { name: 'quorum' };
const votes = await parallel(Array.from({ length: 7 }, () => () => agent(`Is it true: ${args.question}?`, { schema: { type: 'boolean' } })));
const reasons = await parallel(['for', 'against'].map((side) => () => agent(`Give the best reasons ${side}: ${args.question}`, { label: side })));
return { yes: votes.filter(Boolean).length, reasons };
