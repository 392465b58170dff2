"""Child workflows from files: which of them a workflow may start, and how they are opened."""
