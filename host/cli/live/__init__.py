"""A run as a table on the terminal: a fold of its events, what the table shows of it, and its drawing."""
