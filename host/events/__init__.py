"""What can be watched of a run, and a bounded buffer for it."""
