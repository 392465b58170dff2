"""What a reader of a source finds to be wrong, without running it. `program.load_readers` imports it."""
