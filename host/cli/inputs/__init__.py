"""Texts and args that a command line gives, typed or in files."""
