"""The checks of a child, one file a theme. Importing this package enters them all, in this order."""

from __future__ import annotations

from flowcage.host.conformance.on_child import (  # noqa: I001  (the order of the report)
    framing as framing,
    jsontext as jsontext,
    jsonrpc as jsonrpc,
    handshake as handshake,
    isolation as isolation,
    states as states,
    start as start,
    dialects as dialects,
    calls as calls,
    poll as poll,
    take as take,
    drain as drain,
    resolve as resolve,
    values as values,
    limits as limits,
    failures as failures,
    pipelining as pipelining,
    ending as ending,
    determinism as determinism,
)
from flowcage.host.conformance.on_child.registry import CHILD_CHECKS as CHILD_CHECKS
