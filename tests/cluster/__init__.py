"""Several workers on one Postgres server, while both are killed."""
