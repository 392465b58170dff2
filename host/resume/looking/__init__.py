"""What a kept run did, from its history: as events, and call by call."""
