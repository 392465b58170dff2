"""``flowcage report``: a run as a file to be looked at, sent or sent on."""
