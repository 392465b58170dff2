export const meta = {
  name: 'child',
  description: 'Writes one chapter and checks it; started by parent.js',
};

const CHECK = {
  type: 'object',
  required: ['pass'],
  properties: { pass: { type: 'boolean' }, note: { type: 'string' } },
};

const draft = await agent(`Write the chapter "${args.chapter}" of this book:\n\n${args.outline}`);
const check = await agent(`Does this chapter follow its outline?\n\n${draft}`, { schema: CHECK });
return { chapter: args.chapter, draft, pass: check.pass };
