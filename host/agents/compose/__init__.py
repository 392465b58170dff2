"""Agents made from other agents."""
