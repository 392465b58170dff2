"""The conformance kit: checks of any child, and of any host, against the wire contract.

It takes nothing from flowcage's own child or runs: a subject is a command, and what is judged are the bytes
that it says. So it stands beside the rest of `flowcage.host` and uses only `protocol` and `schemas`.
"""
