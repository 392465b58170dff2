"""A process that applies one JSON Schema which nobody vouches for, in the child's cage."""
