export const meta = { name: 'plan-execute', phases: [{ title: 'Plan' }, { title: 'Do' }, { title: 'Judge' }] };
const plans = await parallel(['boldly', 'carefully', 'cheaply'].map((how) => () => agent(`Plan ${args.topic} ${how}`, { label: how, phase: 'Plan' })));
const choice = await agent(`Choose the plan for ${args.topic} that costs least`, { label: 'choose', phase: 'Plan', schema: { type: 'integer', minimum: 0, maximum: 2 } });
const steps = await parallel([1, 2, 3, 4].map((n) => () => agent(`Carry out step ${n} of plan ${choice}`, { label: `step ${n}`, phase: 'Do' })));
const marks = await parallel(steps.map((step, n) => () => agent(`Judge step ${n}: ${step}`, { label: `judge ${n}`, phase: 'Judge' })));
return marks.length;
