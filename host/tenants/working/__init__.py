"""A host that takes runs from the queue of its store."""
