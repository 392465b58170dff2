"""How the form of an answer is asked for: the part of JSON Schema of a provider, and other ways."""
