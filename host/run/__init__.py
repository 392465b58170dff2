"""One run, from its source to its outcome."""
