export const meta = { name: 'batches' };
const rows = Array.from({ length: 18 }, (_, i) => `row ${i}`);
const out = [];
for (let i = 0; i < rows.length; i += 6) {
  out.push(...await parallel(rows.slice(i, i + 6).map((row) => () => agent(`Fill in ${row} of the sheet ${args.topic}`, { label: row }))));
}
return await agent(`Look over a sheet of ${out.length} rows`, { label: 'look over' });
