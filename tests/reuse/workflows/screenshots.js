export const meta = { name: 'screenshots', phases: [{ title: 'Look' }] };
const pages = Array.from({ length: 13 }, (_, i) => `page ${i}`);
const looks = await parallel(pages.map((page) => () => agent(`Look at the screenshot of ${page}`, { label: page, phase: 'Look' })));
const contrast = await parallel(pages.map((page) => () => agent(`Measure the contrast on ${page}`, { label: `contrast ${page}`, phase: 'Look' })));
return looks.concat(contrast).filter(Boolean).length;
