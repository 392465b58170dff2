"""The store in a Postgres database, which hosts on many machines may share."""
