export const meta = { name: 'adversaries', phases: [{ title: 'Claim' }, { title: 'Refute' }] };
const claims = await agent(`State four claims about ${args.topic}`, { label: 'claims', phase: 'Claim', schema: { type: 'object', required: ['claims'], properties: { claims: { type: 'array', minItems: 4, items: { type: 'string' } } } } });
const standing = await parallel(claims.claims.map((claim, i) => async () => {
  const votes = await parallel([1, 2, 3].map((n) => () => agent(`Refute if you can: ${claim}`, { label: `refute ${i}.${n}`, phase: 'Refute', schema: { type: 'object', required: ['refuted'], properties: { refuted: { type: 'boolean' } } } })));
  return votes.filter(Boolean).filter((vote) => vote.refuted).length < 2 ? claim : null;
}));
return standing.filter(Boolean);
