export const meta = { name: 'compare-models', phases: [{ title: 'Answer' }, { title: 'Judge' }] };
const models = ['small', 'medium', 'large'];
const questions = ['why is the sky blue', 'what is a monad', 'how do planes fly', 'who was Ada'];
const pairs = questions.flatMap((question) => models.map((model) => ({ question, model })));
const answers = await parallel(pairs.map(({ question, model }) => () => agent(question, { label: `${model}: ${question}`, model, phase: 'Answer' })));
const marks = await parallel(pairs.map(({ question, model }, i) => () => agent(`Mark from 0 to 9. Question: ${question}. Answer: ${answers[i]}`, { label: `mark ${model}: ${question}`, phase: 'Judge', schema: { type: 'integer', minimum: 0, maximum: 9 } })));
return marks;
