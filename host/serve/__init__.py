"""A socket that hands out caged children."""
