"""Large values of a store, as objects outside of its database."""
