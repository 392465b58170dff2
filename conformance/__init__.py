"""The conformance kit: checks of any child, and of any host, against the wire contract.

A subject is a command; it is judged by the bytes that it writes and by how it ends. The kit uses nothing of
flowcage's own child or host, only `protocol` and `schemas`.
"""
