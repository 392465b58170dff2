// Overflows the C stack of the engine by nesting iterator helpers. Verdict: crashed, exit status 125.
let it = [1].values();
for (let i = 0; i < 200000; i++) it = it.map((x) => x);
it.next();
