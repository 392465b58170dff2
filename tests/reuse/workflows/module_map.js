export const meta = { name: 'module-map' };
export default async ({ items, topic }) => {
  const parts = await Promise.all(items.map((item, i) => agent(`Translate part ${i} (${item}) of ${topic}`, { label: `part ${i}` }).catch((error) => `lost: ${error.message}`)));
  const checks = await Promise.all(parts.map((part, i) => agent(`Proofread: ${part}`, { label: `proof ${i}` }).catch(() => 'unread')));
  return checks.length;
};
