"""The layers of isolation that the child applies to itself, one module each; `lockdown` has their order."""
