"""Runs that reuse what others were answered."""
