// Allocates without end. Verdict: memory_limit, exit status 137.
for (let kept = [];;) kept = [kept, 'x'.repeat(1000000) + kept.length];
