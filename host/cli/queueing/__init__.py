"""Commands that put runs into a queue, and take them from there."""
