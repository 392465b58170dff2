"""Commands that look back at kept runs."""
