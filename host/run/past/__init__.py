"""What a run has behind it: who keeps its inputs, when it is left, and how a new child is brought there."""
