// A native that never looks at the clock; the host's does. Verdict: step_timeout, exit status 124.
Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
