"""How a provider is reached: address, key, connections, requests that are sent again, what errors mean."""
