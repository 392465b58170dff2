"""What the operating system holds the child to."""
