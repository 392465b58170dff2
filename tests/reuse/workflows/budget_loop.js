export const meta = { name: 'budget-loop' };
const ideas = [];
while (budget.total && budget.remaining() > budget.total - 4000 && ideas.length < 12) {
  ideas.push(await agent(`Idea ${ideas.length + 1} for ${args.topic}`, { label: `idea ${ideas.length + 1}` }));
}
return ideas;
