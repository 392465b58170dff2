"""Programs that speak the host protocol as a host, under test: the kit is their client."""
