"""Kept runs through their sleeps, from whoever has them to their outcome."""
