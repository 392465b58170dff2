"""Who is let in: the token, keys of one use, names of the host, and what every answer says to a browser."""
