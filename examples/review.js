export const meta = {
  name: 'review',
  description: 'Reviews a change from several sides, checks each finding, and sums up',
  phases: [{ title: 'Review' }, { title: 'Verify' }, { title: 'Sum up' }],
};

const FINDINGS = {
  type: 'object',
  required: ['findings'],
  properties: {
    findings: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['file', 'line', 'problem'],
        properties: {
          file: { type: 'string', minLength: 1 },
          line: { type: 'integer', minimum: 1 },
          problem: { type: 'string', minLength: 1 },
        },
      },
    },
  },
};

const VERDICT = {
  type: 'object',
  required: ['real'],
  properties: { real: { type: 'boolean' }, why: { type: 'string' } },
};

const change = args.change ?? 'examples/review.js: adds a review workflow';
const sides = args.sides ?? ['correctness', 'security', 'clarity'];

phase('Review');
log(`reviewing from ${sides.length} sides: ${sides.join(', ')}`);
const reviews = await parallel(sides.map((side) => () => agent(
  `Review this change for ${side}. Name the file, the line and the problem of each finding.\n\n${change}`,
  { label: `review:${side}`, schema: FINDINGS },
)));

// A side whose agent failed is null; the others still count.
const findings = reviews.filter(Boolean).flatMap((review) => review.findings);

phase('Verify');
const verified = await pipeline(
  findings,
  (finding) => agent(
    `Is this a real problem? Try to prove that it is not.\n\n${JSON.stringify(finding)}`,
    { label: `verify:${finding.file}`, schema: VERDICT },
  ),
  (verdict, finding) => ({ ...finding, real: verdict.real }),
);
const real = verified.filter((finding) => finding?.real);
log(`${real.length} of ${findings.length} findings hold`);

phase('Sum up');
const summary = await agent(`Sum up this review in two sentences:\n\n${JSON.stringify(verified)}`, { label: 'summary' });

return { findings: verified, real: real.length, summary };
