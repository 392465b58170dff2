"""The registry of the checks of hosts."""

from __future__ import annotations

from flowcage.conformance.check import Registry
from flowcage.conformance.hosts import Played

HOST_CHECKS: Registry[Played] = Registry()
