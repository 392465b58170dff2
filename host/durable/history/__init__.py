"""The history of a run: the inputs of its core, each as one entry."""
