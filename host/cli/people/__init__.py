"""People at the command line: whom a workflow asks, and who answers."""
