"""The page of a run that is known by its events alone, such as a file of ``flowcage run --events``."""
