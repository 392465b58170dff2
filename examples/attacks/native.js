// Calls a native during which the engine does not check its clock; the host's deadline ends it. Verdict: step_timeout, exit status 124.
Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
