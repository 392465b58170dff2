"""The checks of a client of the host protocol. Importing this package registers them in this order."""

from __future__ import annotations

# isort: off
from flowcage.conformance.on_client import messages as messages
from flowcage.conformance.on_client import outcomes as outcomes
from flowcage.conformance.on_client.registry import CLIENT_CHECKS as CLIENT_CHECKS
from flowcage.conformance.on_client.registry import FAKE_HOST as FAKE_HOST
