"""A run that is told from the beginning what another child was told."""
