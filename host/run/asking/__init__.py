"""How requests are answered: tasks that ask, what they spend, and accounts that are used up."""
