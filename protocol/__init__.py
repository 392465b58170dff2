"""The wire contract as code, without I/O: messages, JSON-RPC envelopes, framing and the state table.

Both sides use it: `connection` has an endpoint for each.
"""
