"""``flowcage init``: what a project begins with."""
