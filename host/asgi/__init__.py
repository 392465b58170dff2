"""Runs of a host by HTTP, in a program's own ASGI server: its tenants start, watch and resume them."""
