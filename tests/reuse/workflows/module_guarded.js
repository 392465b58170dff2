export const meta = { name: 'module-guarded' };
const grade = async (text, again) => {
  try {
    return await agent(`Grade ${text}`, { label: `grade ${text}`, retry: { maxAttempts: 2 } });
  } catch (error) {
    return again ? grade(`${text} once more`, false) : null;
  }
};
export default async ({ items }) => {
  const grades = [];
  for (const item of items) grades.push(await grade(item, true));
  return agent(`Sum up ${grades.length} grades`, { label: 'sum' });
};
