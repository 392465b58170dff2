"""Commands that begin a new run with what an old one was answered."""
