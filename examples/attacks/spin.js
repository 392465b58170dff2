// Never ends, and loses the engine's interruption in a promise. Verdict: step_timeout, exit status 124.
for (;;) new Promise(() => { for (;;); });
