"""Pages in a browser over the runs that a store keeps: one server, which shows and acts on them."""
