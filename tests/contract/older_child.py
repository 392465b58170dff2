"""The child as it was before `run` and `advance`: it has neither, and names no methods."""

from __future__ import annotations

from flowcage.child.__main__ import main
from flowcage.protocol.messages import METHODS
from flowcage.protocol.params import PARAMS

for added in ("run", "advance"):
    del PARAMS[added]
METHODS.clear()
main()
