"""The rules of agent calls: their options, attempts and tries, conversations, and what may be spent."""
