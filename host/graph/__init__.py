"""Drawings of a workflow, from the outline of its source."""
