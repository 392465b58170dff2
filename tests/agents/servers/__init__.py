"""Loopback servers that speak the APIs of model providers, with the faults of networks and of providers."""
