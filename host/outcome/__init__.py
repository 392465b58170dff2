"""How a run ends: errors, verdicts, the report."""
