"""What both databases have in common: one schema, one set of statements, one committing thread."""
