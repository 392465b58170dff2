"""The published JSON Schemas (2020-12) of the wire contract, one file for each message.

`loader` reads the files and is cheap to import. `validate` checks messages and imports jsonschema, which
takes longer than a child's start. So this package imports neither.
"""
