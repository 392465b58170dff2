"""Commands for runs that a store keeps."""
