"""What a run has of another one: answers that are reused, told in the order in which that one was told."""
