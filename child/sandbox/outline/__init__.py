"""What a workflow asks for and where, read from its source: for graphs, and for the places of calls."""
