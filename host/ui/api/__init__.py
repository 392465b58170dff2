"""What can be read of kept runs and done to them over HTTP: routes for any ASGI program, without pages."""
