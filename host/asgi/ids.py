"""Ids of runs that clients choose, which are the tenant's own.

A store has each id once, for all tenants. Were a client's id taken as it is, another tenant could be told by
the refusal that it is in use, and could be the first to take it.
"""

from __future__ import annotations

import hashlib
from typing import Final

from flowcage.host.durable.errors import UnknownRun
from flowcage.host.run.arguments import require_run_id
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import Problem

LONGEST: Final = 80  # characters; an id of a run may have 100
_DIGITS = 16


def own_id(tenant: str, chosen: str) -> str:
    """The id of the run for which a client of the tenant has chosen this one.

    Raises:
        Problem: it can be none.
    """
    try:
        require_run_id(chosen)
    except ValueError as error:
        raise Problem(422, str(error)) from None
    if len(chosen) > LONGEST:
        raise Problem(422, f"runId: at most {LONGEST} characters")
    return _own(tenant, chosen)


async def known_id(runs: KeptRuns, asked: str) -> str:
    """The id of a tenant's run, from that or from the one that its client has chosen; on trio."""
    own = _own(runs.tenant or "", asked)
    for each in (asked, own):
        try:
            return (await runs.summary(each)).run_id
        except UnknownRun:
            continue
    return asked


def _own(tenant: str, chosen: str) -> str:
    digest = hashlib.sha256(tenant.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{digest[:_DIGITS]}.{chosen}"
