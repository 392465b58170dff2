// Says more than anybody wants to hear. Verdict: output_limit, exit status 1.
for (;;) log('x'.repeat(100000));
