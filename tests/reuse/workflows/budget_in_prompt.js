export const meta = { name: 'budget-in-prompt' };
const steps = [];
for (let i = 0; i < 4; i++) {
  steps.push(await agent(`Step ${i}; ${budget.spent()} tokens are spent`, { label: `step ${i}` }));
}
return steps;
