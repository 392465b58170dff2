"""The ways to start a child: executed, forked from a zygote, or taken from a reserve of spares."""
