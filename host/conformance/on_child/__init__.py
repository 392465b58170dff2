"""The checks of a child, one file a theme. Importing this package enters them all, in this order."""

from __future__ import annotations

# isort: off
from flowcage.host.conformance.on_child import framing as framing
from flowcage.host.conformance.on_child import jsontext as jsontext
from flowcage.host.conformance.on_child import jsonrpc as jsonrpc
from flowcage.host.conformance.on_child import handshake as handshake
from flowcage.host.conformance.on_child import isolation as isolation
from flowcage.host.conformance.on_child import states as states
from flowcage.host.conformance.on_child import start as start
from flowcage.host.conformance.on_child import dialects as dialects
from flowcage.host.conformance.on_child import calls as calls
from flowcage.host.conformance.on_child import poll as poll
from flowcage.host.conformance.on_child import take as take
from flowcage.host.conformance.on_child import drain as drain
from flowcage.host.conformance.on_child import resolve as resolve
from flowcage.host.conformance.on_child import values as values
from flowcage.host.conformance.on_child import limits as limits
from flowcage.host.conformance.on_child import failures as failures
from flowcage.host.conformance.on_child import pipelining as pipelining
from flowcage.host.conformance.on_child import ending as ending
from flowcage.host.conformance.on_child import determinism as determinism
from flowcage.host.conformance.on_child.registry import CHILD_CHECKS as CHILD_CHECKS
