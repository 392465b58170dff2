"""Many clients over streamable HTTP: the door, the bounds of a body, and the server."""
