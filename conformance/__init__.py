"""The conformance kit: checks of any child, and of any host, against the wire contract.

It takes nothing from flowcage's own child or host: a subject is a command, and what is judged are the bytes
that it says. Of ours it uses only `protocol` and `schemas`.
"""
