export const meta = { name: 'audit', description: 'Audit every endpoint, then test what was found.', phases: [{ title: 'Scan' }, { title: 'Audit' }, { title: 'Report' }] };
phase('Scan');
const list = await agent(`List the endpoints of ${args.topic}`, { label: 'scan', schema: { type: 'object', required: ['endpoints'], properties: { endpoints: { type: 'array', minItems: 14, items: { type: 'string' } } } } });
phase('Audit');
const audits = await parallel(list.endpoints.map((endpoint) => () => agent(`Audit the endpoint ${endpoint}`, { label: `audit ${endpoint}`, phase: 'Audit' })));
const limits = await parallel(list.endpoints.map((endpoint) => () => agent(`Does ${endpoint} have a rate limit?`, { label: `limit ${endpoint}`, phase: 'Audit' })));
phase('Report');
return await agent(`Report on ${audits.length + limits.length} audits`, { label: 'report' });
