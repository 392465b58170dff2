"""What a source tells by being read: names, calls, what they are in. `program.load_readers` imports it."""
