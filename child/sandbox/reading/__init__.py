"""What a source tells by being read: names, calls, what they are in. Imported where it is asked for."""
