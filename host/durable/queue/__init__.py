"""The queue of a store: what workers take, in fair turns and within quotas."""
