"""Where the checks of hosts are entered."""

from __future__ import annotations

from flowcage.conformance.check import Registry
from flowcage.conformance.hosts import Played

HOST_CHECKS: Registry[Played] = Registry()
