"""The checks of a child, one file a theme. Importing this package registers them in this order."""

from __future__ import annotations

# isort: off
from flowcage.conformance.on_child import framing as framing
from flowcage.conformance.on_child import jsontext as jsontext
from flowcage.conformance.on_child import jsonrpc as jsonrpc
from flowcage.conformance.on_child import handshake as handshake
from flowcage.conformance.on_child import isolation as isolation
from flowcage.conformance.on_child import states as states
from flowcage.conformance.on_child import start as start
from flowcage.conformance.on_child import run as run
from flowcage.conformance.on_child import dialects as dialects
from flowcage.conformance.on_child import calls as calls
from flowcage.conformance.on_child import poll as poll
from flowcage.conformance.on_child import take as take
from flowcage.conformance.on_child import drain as drain
from flowcage.conformance.on_child import resolve as resolve
from flowcage.conformance.on_child import advance as advance
from flowcage.conformance.on_child import replay as replay
from flowcage.conformance.on_child import sites as sites
from flowcage.conformance.on_child import checking as checking
from flowcage.conformance.on_child import modules as modules
from flowcage.conformance.on_child import values as values
from flowcage.conformance.on_child import limits as limits
from flowcage.conformance.on_child import failures as failures
from flowcage.conformance.on_child import pipelining as pipelining
from flowcage.conformance.on_child import ending as ending
from flowcage.conformance.on_child import determinism as determinism
from flowcage.conformance.on_child.registry import CHILD_CHECKS as CHILD_CHECKS
