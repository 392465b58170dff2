export const meta = { name: 'streaming' };
const verified = await pipeline(
  Array.from({ length: 10 }, (_, i) => i),
  (i) => agent(`Analyse part ${i}`, { label: `a${i}` }),
  (text, i) => agent(`Check ${text}`, { label: `c${i}` }),
  (text, i) => agent(`Store ${text}`, { label: `s${i}` }),
);
return verified.filter(Boolean).length;
