"""The wire contract as code, without I/O: messages, lines, JSON-RPC envelopes and the state table.

Both sides use it: `connection` has an endpoint for each.
"""
