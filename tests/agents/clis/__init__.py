"""The agents that are command line programs: against recordings of these, and against the real ones."""
