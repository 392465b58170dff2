"""What a reader of a source finds to be wrong, without running it. Imported where `check` is asked for it."""
