"""Questions for people, and what handlers raise that is no answer."""
