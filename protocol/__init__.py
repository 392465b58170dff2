"""The wire contract: messages, framing and state, without any I/O."""
