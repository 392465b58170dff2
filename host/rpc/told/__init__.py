"""What clients hear of runs: events, rows of lists, outcomes."""
