"""Workflows by name on the command line."""
