"""One run guided by another: which of its requests have an answer there, and which of these is told next.

See `flowcage.host.run.guide.guide.Guide`, whose form this has. A child workflow is known when its source and
args are, that is when the handler of its request runs it. Which old one it is follows from the request
itself, so that one with another source is guided by its old self.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from flowcage.host.durable.history.digests import digest
from flowcage.host.durable.history.forms import Withheld
from flowcage.host.durable.reuse.calls import Call, new_call
from flowcage.host.durable.reuse.content import Known
from flowcage.host.durable.reuse.matching import Matching
from flowcage.host.durable.reuse.order import Waiting
from flowcage.host.run.core.inputs import NO_FACTS, NOTHING, Input, Reused, Said
from flowcage.protocol.messages import MISSING, Json, Missing, WorkflowRequest

Phases = Mapping[str, Mapping[str, Json]]


class Old(NamedTuple):
    """What is reused.

    Attributes:
        run_id: of the run.
        key: of its digests.
        calls: of it, in the order in which they were made, with those of runs that it reuses itself.
        sources: of its child workflows, with their args, by request; see `source_of`.
        results: of its child workflows that completed with all of their calls answered, by request.
        first_turns: when it was first told something that a request for a child workflow led to.
    """

    run_id: str
    key: bytes
    calls: Sequence[Call]
    sources: Mapping[str, str] = MappingProxyType({})
    results: Mapping[str, Json] = MappingProxyType({})
    first_turns: Mapping[str, float] = MappingProxyType({})


class Decision(NamedTuple):
    """One call of the new run, and the old one whose answer it has."""

    call: Call
    old: Call | None


class Guide:
    """Of one run, which is new or is gone on with.

    Args:
        old: what is reused.
        agent: identity of who answers ``agent()`` now.
        programs: whether what programs had answered is reused.
        idle: is called when everything that is known was told, and something was asked that is not.

    Attributes:
        decisions: about the calls so far, in the order in which they were made.
    """

    def __init__(
        self, old: Old, agent: str = "", *, programs: bool = False, idle: Callable[[], None] | None = None
    ) -> None:
        self._old = old
        self._known = Known(agent, programs=programs)
        self._matching = Matching([each for each in old.calls if not each.is_workflow])
        self._by_id = {each.id: each for each in old.calls}
        self._workflows = [each for each in old.calls if each.is_workflow]
        self._waiting = Waiting()
        self._homes: dict[str, str | None] = {"": ""}
        self._idle = idle
        self.decisions: list[Decision] = []

    # ---- what a driver calls -----------------------------------------------------------------

    def look(self, said: Said, phases: Phases) -> Mapping[str, str]:
        """Which of these requests are known."""
        return {name: old.id for name, old in self._look(said, phases).items()}

    def start(self, request: str, source: str, args: Json, modules: Mapping[str, str]) -> Json | Missing:
        """The result of a child workflow, where this source with these args had one."""
        old = self._twin(request, source_of(self._old.key, source, args, modules))
        if old is None:
            return MISSING
        self._homes[request] = old.id
        self._matching.use(old.id)
        self._waiting.add(request, old)
        self.decisions.append(Decision(replace(old, id=request, path=request.rpartition("/")[0]), old))
        return old.answer.value if old.replaced and old.answer else self._old.results[old.id]

    @property
    def turn(self) -> float:
        """When the old run was told the next group."""
        return self._waiting.turn

    @property
    def is_empty(self) -> bool:
        """Whether no answer waits to be told."""
        return not self._waiting

    def next_group(self) -> Sequence[Reused]:
        """Take the answers that are told next."""
        return [self._reused(identifier, old) for identifier, old in self._waiting.next_group()]

    def first_turn_below(self, request: str) -> float:
        """When the old run was first told something that this request led to."""
        return self._old.first_turns.get(self._homes.get(request) or "", math.inf)

    def idle(self) -> None:
        """Somebody has to be asked."""
        if self._idle is not None:
            self._idle()

    # ---- a run that is gone on with ----------------------------------------------------------

    def follow(self, given: Input, phases: Phases) -> None:
        """Take what has happened to the run already, in its order."""
        if isinstance(given, Said):
            self._look(given, phases, given.known)
        elif isinstance(given, Reused):
            self._waiting.drop(given.id)
            for old in self._workflows:
                if self._origin(old) == (given.run, given.request):
                    self._matching.use(old.id)

    # ------------------------------------------------------------------------------------------

    def _look(self, said: Said, phases: Phases, known: Mapping[str, str] | None = None) -> dict[str, Call]:
        found = {}
        terms = self._known._replace(phases={said.path: phases})
        for request in said.requests:
            identifier = f"{said.path}/{request.id}" if said.path else request.id
            call = new_call(request, said.path, identifier, terms, self._old.key)
            if isinstance(request, WorkflowRequest):
                self._homes[identifier] = self._self_of(call, request)
                continue
            old = self._matching.take(call, self._home(said.path))
            if known is not None:
                old = self._recorded(known.get(request.id))
            self.decisions.append(Decision(call, old))
            if old is not None:
                found[request.id] = old
                self._waiting.add(identifier, old)
        return found

    def _recorded(self, identifier: str | None) -> Call | None:
        """The old call that this was when the run was recorded; by another version of this code, perhaps."""
        if identifier is None:
            return None
        self._matching.use(identifier)
        return self._by_id[identifier]

    def _self_of(self, call: Call, request: WorkflowRequest) -> str | None:
        """The request for a child workflow in the old run that this one most likely is."""
        home, names = self._home(call.path), _names(self._old.key, request)
        left = [
            (old, _names(self._old.key, old.request))
            for old in self._workflows
            if old.path == home
            and not self._matching.is_used(old.id)
            and isinstance(old.request, WorkflowRequest)
        ]
        same = [old for old, others in left if others == names] or [
            old for old, others in left if others[0] == names[0]
        ]
        if not same:
            return None
        self._matching.use(same[0].id)
        return same[0].id

    def _twin(self, request: str, source: str) -> Call | None:
        """The old request for a child workflow whose result this one has."""
        own = self._by_id.get(self._homes.get(request) or "")
        left = [each for each in self._workflows if not self._matching.is_used(each.id)]
        for old in [*([] if own is None else [own]), *left]:
            is_same = self._old.sources.get(old.id) == source and old.id in self._old.results
            if old.outcome == "answered" and (is_same or (old is own and old.replaced)):
                return old
        return None

    def _home(self, path: str) -> str | None:
        """The path in the old run of the workflow that has this one now; None where there was none."""
        head, slash, last = path.rpartition("/")
        name, dot, number = last.partition(".")
        old = self._homes.get(head + slash + name)
        return None if old is None else old + dot + number

    def _origin(self, old: Call) -> tuple[str, str]:
        return old.origin or (self._old.run_id, old.id)

    def _reused(self, identifier: str, old: Call) -> Reused:
        answer, (run, request) = old.answer, self._origin(old)
        return Reused(
            identifier,
            MISSING if answer is None else answer.value,
            run,
            request,
            old.replaced,
            NOTHING if answer is None else answer.spent,
            old.agents,
            NO_FACTS if answer is None else answer.facts,
        )


def source_of(key: bytes, source: str, args: Json, modules: Mapping[str, str]) -> str:
    """What two child workflows have in common that have one result."""
    return digest(key, [source, args, dict(modules)] if modules else [source, args])


def _names(key: bytes, request: WorkflowRequest) -> tuple[str, str]:
    args = request.args
    return digest(key, request.ref), (
        args.digest if isinstance(args, Withheld) else digest(key, None if args is MISSING else args)
    )
