"""``flowcage host``: runs for programs in any language, over JSON-RPC in both directions."""
