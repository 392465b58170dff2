// Logs without end. Verdict: output_limit, exit status 1.
for (;;) log('x'.repeat(100000));
