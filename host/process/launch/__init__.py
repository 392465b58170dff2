"""How a child process comes to be."""
