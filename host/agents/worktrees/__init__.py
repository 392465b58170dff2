"""Git worktrees of agents: made from a commit, removed where nothing has changed, kept otherwise."""
