"""One workflow inside the engine: what JavaScript sees and what it may ask for."""
