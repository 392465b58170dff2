"""A dry run: what a workflow would ask for, with answers that are made up."""
