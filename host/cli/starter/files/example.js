export const meta = {
  name: 'example',
  description: 'Answers a question from several points of view, and sums the answers up',
  phases: [{ title: 'Ask' }, { title: 'Sum up' }],
};

const ANSWER = {
  type: 'object',
  required: ['answer', 'confidence'],
  properties: {
    answer: { type: 'string', minLength: 1 },
    confidence: { type: 'string', enum: ['low', 'medium', 'high'] },
  },
};

const question = args.question ?? 'What makes a change easy to review?';
const views = args.views ?? ['its author', 'its reviewer', 'whoever maintains it later'];

phase('Ask');
const answers = await parallel(views.map((view) => () => agent(
  `Answer as ${view} would, in at most three sentences:\n\n${question}`,
  { label: `ask:${view}`, schema: ANSWER },
)));

// A call without an answer is null; the others still count.
const found = answers
  .map((answer, index) => ({ view: views[index], ...answer }))
  .filter((each) => each.answer);
log(`${found.length} of ${views.length} views have an answer`);

phase('Sum up');
const summary = await agent(
  `Sum up these answers to "${question}" in two sentences:\n\n${JSON.stringify(found)}`,
  { label: 'summary' },
);

return { question, answers: found, summary };
