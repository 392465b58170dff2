"""A caged process that applies one untrusted JSON Schema to one value, and exits."""
