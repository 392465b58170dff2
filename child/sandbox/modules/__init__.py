"""The modules that come with a workflow."""
