"""A run as one document: what a page about it shows, and what other formats are made from."""
