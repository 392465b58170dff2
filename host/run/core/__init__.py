"""The run as a value: a fold over what happened, without I/O, clock or randomness."""
