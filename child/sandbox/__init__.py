"""Runs workflows: compiles a source, gives it its globals, and turns what it does into messages.

Of the wire it knows messages and errors, of the engine its values; `realm` is the only module that joins
Python and the prelude.
"""
