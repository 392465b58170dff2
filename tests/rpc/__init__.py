"""`flowcage host`: real processes, pipes and sockets, clients that behave and clients that do not."""
