"""``flowcage run --plan``: what a run would ask for, before anything is spent."""
