"""The published JSON Schemas (2020-12) of the wire contract, one file a message.

`loader` reads them and costs nothing to import; `validate` checks against them and brings jsonschema, which
costs more to import than the child needs to start. So this package imports neither.
"""
