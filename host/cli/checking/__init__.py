"""``flowcage check``: what is wrong with workflows, in text, JSON or SARIF, before they are run."""
