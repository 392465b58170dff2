"""The host: starts children, answers what their workflows ask, and decides how each run ended."""
