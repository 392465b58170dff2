"""The published JSON Schemas of the wire contract, and their loader."""
