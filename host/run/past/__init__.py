"""What a run has behind it: who keeps its inputs, and how a new child is brought where the old one was."""
