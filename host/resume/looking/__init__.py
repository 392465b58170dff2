"""Kept runs seen from outside of them: what they did, how they go on, and their end by request."""
