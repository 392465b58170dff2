"""How a command ends: its result, where that goes, and its exit status."""
