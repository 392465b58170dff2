"""The child process: a QuickJS sandbox under operating-system limits."""
