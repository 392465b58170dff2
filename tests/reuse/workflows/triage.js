export const meta = { name: 'triage', phases: [{ title: 'Sort', model: 'small' }, { title: 'Answer' }] };
const issues = Array.from({ length: 16 }, (_, i) => 100 + i);
const sorted = await parallel(issues.map((issue) => () => agent(`Sort issue ${issue}`, { label: `sort ${issue}`, phase: 'Sort', schema: { type: 'object', required: ['kind'], properties: { kind: { enum: ['bug', 'wish'] }, note: { type: 'string' } } } })));
const answers = await parallel(issues.map((issue, i) => () => agent(`Draft an answer to issue ${issue}, a ${sorted[i] ? sorted[i].kind : 'riddle'}`, { label: `answer ${issue}`, phase: 'Answer' })));
const digest = await agent('Write the digest of the week', { label: 'digest' });
return { answers: answers.length, digest };
