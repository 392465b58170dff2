export const meta = { name: 'review-sides', description: 'Review a change from several sides, verify each finding.', phases: [{ title: 'Review' }, { title: 'Verify' }, { title: 'Report', model: 'large' }] };
const SIDES = ['correctness', 'security', 'speed', 'naming', 'tests'];
const FINDINGS = { type: 'object', required: ['findings'], properties: { findings: { type: 'array', minItems: 3, items: { type: 'object', required: ['title'], properties: { title: { type: 'string' }, line: { type: 'integer' } } } } } };
const VERDICT = { type: 'object', required: ['real'], properties: { real: { type: 'boolean' }, why: { type: 'string' } } };
phase('Review');
const found = await pipeline(
  SIDES,
  (side) => agent(`Review the change ${args.topic} for ${side}. List findings.`, { label: `review:${side}`, phase: 'Review', schema: FINDINGS }),
  (review, side) => parallel((review.findings || []).map((each, i) => () =>
    agent(`Try to refute this finding about ${side}: ${each.title}`, { label: `verify:${side}:${i}`, phase: 'Verify', schema: VERDICT })
      .then((verdict) => ({ ...each, side, verdict })))),
);
const real = found.flat().filter((each) => each && each.verdict && each.verdict.real);
phase('Report');
const report = await agent(`Write a report on ${real.length} findings:\n${real.map((each) => each.title).sort().join('\n')}`, { label: 'report', phase: 'Report' });
return { real, report };
