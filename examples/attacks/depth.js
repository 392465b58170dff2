// Nests iterator helpers, whose natives call one another, to overflow the C stack. Verdict: failed, exit status 1.
let it = [1].values();
for (let i = 0; i < 200000; i++) it = it.map((x) => x);
it.next();
