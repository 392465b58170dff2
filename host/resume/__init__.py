"""Runs that a store keeps: begun in it, and gone on with from it."""
