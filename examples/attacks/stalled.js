// Waits for what nobody will ever settle. Verdict: stalled, exit status 1.
await new Promise(() => {});
