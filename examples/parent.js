// Hands each chapter to a child workflow, which runs in a child process of its own.
export const meta = {
  name: 'parent',
  description: 'Outlines a book and has each chapter written by a child workflow',
};

export default async function parent({ chapters = ['Beginnings', 'Storms', 'Harbour'] }) {
  phase('Outline');
  const outline = await agent(`Outline a short book with the chapters ${chapters.join(', ')}.`);

  phase('Write');
  const written = await parallel(chapters.map(
    (chapter) => () => workflow({ scriptPath: 'child.js' }, { chapter, outline }),
  ));
  return { outline, chapters: written };
}
