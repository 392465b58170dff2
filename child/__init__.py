"""The caged process that runs one workflow: a QuickJS sandbox under operating-system limits.

`stdio` → `serve` → `session` → `sandbox` → `engine` is the way of a message; `cage` is the lockdown, `zygote`
forks children, `checker` is another caged process, for one JSON Schema.
"""
