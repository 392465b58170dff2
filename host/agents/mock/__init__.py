"""The agent without a model: answers that are made up, or come from a file."""
