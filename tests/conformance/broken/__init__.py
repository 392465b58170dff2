"""One broken child for every check of children."""
