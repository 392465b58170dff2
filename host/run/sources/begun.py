"""What an event tells of the source, the args and the child that a workflow begins with."""

from __future__ import annotations

import hashlib
from typing import Any

from flowcage.host.events.records import VERSION
from flowcage.host.run.limits import host_limits
from flowcage.host.run.options import RunOptions
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Initialized, Json
from flowcage.protocol.version import PACKAGE_VERSION


def members_of_start(source: str, args: Json, told: Initialized, options: RunOptions) -> dict[str, Any]:
    """Members of ``started`` that do not depend on where in the tree the workflow is.

    Args:
        source, args: that the child is given.
        told: what it said of itself.
        options: of the run.
    """
    return {
        "source_sha256": _sha256(source),
        "args_sha256": _sha256(strictjson.dumps(args)),
        "limits": told.limits.to_wire() | host_limits(options),
        "versions": _versions(told),
        "metadata": options.metadata,
    }


def _versions(told: Initialized) -> dict[str, str]:
    return {
        "flowcage": PACKAGE_VERSION,
        "protocol": told.protocol_version,
        "events": str(VERSION),
        "engine": f"{told.engine.name} {told.engine.version}",
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
