"""Text for a person: what is safe to show, near matches of names, and a writer that never blocks."""
