"""New runs of a store: begun here, or queued for any worker."""
