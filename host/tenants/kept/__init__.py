"""Calls of a host about the runs of its store."""
