"""The child as it was before methods were added to 1.0: it has none of them, and names no methods."""

from __future__ import annotations

from flowcage.child.__main__ import main
from flowcage.protocol.messages import METHODS
from flowcage.protocol.params import PARAMS

for added in ("run", "advance", "replay", "sites", "imports"):
    del PARAMS[added]
METHODS.clear()
main()
