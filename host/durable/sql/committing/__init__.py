"""The one thread that writes: its queue, its groups, and whom it tells."""
