"""Checks of framing, JSON and JSON-RPC that both contracts share: one function for either kind of subject."""
