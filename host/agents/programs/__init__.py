"""Agents that are programs: run for each call, and ended with it."""
