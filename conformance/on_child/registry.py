"""The registry of the checks of children."""

from __future__ import annotations

from flowcage.conformance.check import Registry
from flowcage.conformance.peer import ChildPeer

CHILD_CHECKS: Registry[ChildPeer] = Registry()
