"""Sources: what their imports name, and what is found in them."""
