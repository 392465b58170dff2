"""``flowcage host``: runs for programs in any language."""
