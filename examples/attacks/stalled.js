// Waits for a promise that nothing settles. Verdict: stalled, exit status 1.
await new Promise(() => {});
