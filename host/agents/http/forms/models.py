"""Short names of models, which workflows and `claude` use, and those of Anthropic's API."""

MODELS = {"opus": "claude-opus-5-5", "sonnet": "claude-sonnet-5-5", "haiku": "claude-haiku-5-5"}
