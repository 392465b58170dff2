"""Children of a workflow that are ended while nothing is to be told, and those after them."""
