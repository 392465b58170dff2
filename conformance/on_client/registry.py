"""The registry of the checks of clients, and what the kit plays for them."""

from __future__ import annotations

from flowcage.conformance.check import Registry
from flowcage.conformance.hosts import Played, Playing

CLIENT_CHECKS: Registry[Played] = Registry()

# The workflow that the client is told to run. The fake host does not read it.
SOURCE = "export default await agent('ready?'); // \u2028 é\n"
FAKE_HOST = Playing("{host}", "flowcage.conformance.fake_host", "FLOWCAGE_HOST", SOURCE, "host")
