"""The store in one SQLite file, which several hosts on one machine may share."""
