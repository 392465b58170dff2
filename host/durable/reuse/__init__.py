"""Which answers of an old run a new one may have, in what order, and why not the others. Pure functions."""
