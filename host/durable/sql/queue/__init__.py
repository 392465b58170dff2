"""The statements of the queue, the same for both databases."""
