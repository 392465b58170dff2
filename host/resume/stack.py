"""What a run waits for, and where: its open calls, each with the place in the author's file that made it.

The calls are in the run's log. The places are not: each workflow that has not ended is replayed in a fresh
cage, with nobody asked, and its child is asked for them. So this works for runs that another process carries
out at the moment, that are asleep, and that were interrupted; nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from flowcage.host.durable.records import RunRecord
from flowcage.host.outcome.verdict import RESUMABLE
from flowcage.host.process.channel import Channel
from flowcage.host.resume.cage import replayed
from flowcage.host.resume.fold import History, history_of
from flowcage.host.run.core.inputs import Said
from flowcage.host.run.core.tree import Call
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.past import PastWorkflow
from flowcage.protocol.decode import Places
from flowcage.protocol.messages import (
    AgentRequest,
    AskRequest,
    Json,
    Missing,
    Request,
    Sites,
    WorkflowRequest,
)
from flowcage.protocol.sources.findings import Place


class OpenCall(NamedTuple):
    """A request without an answer.

    Attributes:
        id: in the tree of the run.
        kind: as on the wire.
        about: the prompt of an agent, the name of a workflow; otherwise what there is to say, or nothing.
        stage: "queued" for a place, "asked", or "waiting" for a time.
        since: when it was asked for: milliseconds since 1970.
        source_name, line, column: of the call; without line and column the place is not known.
    """

    id: str
    kind: str
    label: str | None
    about: str
    stage: str
    since: int
    source_name: str
    line: int | None
    column: int | None

    def to_json(self) -> dict[str, Json]:
        """As JSON."""
        members = self._asdict()
        return {"id": members.pop("id"), "sourceName": members.pop("source_name"), **members}


async def stack(record: RunRecord, options: RunOptions | None = None) -> list[OpenCall]:
    """The open calls of a run, those of a child workflow behind the call that has started it.

    Args:
        record: as a store has it.
        options: launcher, isolation and the host's limits; nobody is asked.

    Raises:
        DamagedEntry: the record is no history of a run.
        ReplayDiverged: a workflow does something else than it did.
        RunError: a workflow could not be replayed.
    """
    history, given = history_of(record), options or RunOptions()
    if record.summary.state == "ended" and record.summary.verdict not in {each.value for each in RESUMABLE}:
        return []
    since, found = _asked_at(record), []
    for path in sorted(history.open):
        past = history.workflows[path]
        if past.begun is not None:
            sites: Places = {}
            await replayed(past, given, then=partial(_ask, sites))
            found += [_open(call, past, sites, since) for call in _calls(history, path)]
    return sorted(found, key=lambda call: _in_order(call.id))


async def _ask(sites: Places, channel: Channel, methods: Collection[str]) -> None:
    if "sites" in methods:
        told = await channel.request(Sites())
        assert isinstance(told, dict)
        sites.update(told)


def _asked_at(record: RunRecord) -> dict[str, int]:
    found = {}
    for entry in record.entries:
        said = entry.input
        if isinstance(said, Said):
            above, at = f"{said.path}/" if said.path else "", record.summary.created_at + int(1000 * entry.at)
            found.update({f"{above}{request.id}": at for request in said.requests})
    return found


def _calls(history: History, path: str) -> Iterator[Call]:
    yield from history.tree.workflows[path].calls.values()


def _open(call: Call, past: PastWorkflow, sites: Places, since: Mapping[str, int]) -> OpenCall:
    assert past.begun is not None
    request, site, name = call.request, sites.get(call.request.id, Place()), past.begun.source_name
    if site.source_name in past.begun.modules:
        name = site.source_name or name
    return OpenCall(
        call.id,
        type(request).__name__.removesuffix("Request").lower() if call.kind is None else call.kind.name,
        _label(request),
        _about(request),
        call.stage,
        since[call.id],
        name,
        site.line,
        site.column,
    )


def _label(request: Request) -> str | None:
    options = request.options if isinstance(request, AgentRequest) else {}
    label = None if isinstance(options, Missing) else options.get("label")
    return label if isinstance(label, str) else None


def _about(request: Request) -> str:
    if isinstance(request, AgentRequest):
        return request.prompt
    if isinstance(request, AskRequest):
        return request.question
    if isinstance(request, WorkflowRequest):
        return request.ref if isinstance(request.ref, str) else str(request.ref.get("scriptPath"))
    return ""


def _in_order(identifier: str) -> list[tuple[int, str]]:
    parts = [part.partition(".") for part in identifier.split("/")]
    return [(int(head) if head.isdigit() else 0, rest) for head, _, rest in parts]
