"""Sources that a child is asked about, and the modules that it is given."""
