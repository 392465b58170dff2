"""Text on its way to a person: what is safe to show, and a writer that never blocks."""
