"""What a run was before this host has it: its core, and of each workflow what its child was told and said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flowcage.host.run.core.commands import Ask, Command, Emit, Finish, Wake
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Said, State
from flowcage.host.run.core.tree import Call, request_of
from flowcage.host.run.past.diverged import ReplayDiverged
from flowcage.host.run.past.journal import Begun
from flowcage.host.run.past.telling import Turn
from flowcage.protocol.messages import Drained, Json, Request


class Reply(NamedTuple):
    """One `Said` of the past: what a replay compares.

    Attributes:
        said: as it is kept; of its requests parts may have been withheld.
        matches: whether another `Said` asks the same.
    """

    said: Said
    matches: Callable[[Said], bool]

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the requests."""
        return tuple([request.id for request in self.said.requests])

    @property
    def state(self) -> State:
        return self.said.state


@dataclass
class PastWorkflow:
    """A workflow that had not ended.

    Attributes:
        begun: as its child was told of it; None where it was not yet.
        is_compiled: whether it is known that the source compiles.
        has_notes: whether the host has noted what was wrong with its `meta`.
        turns: the groups of resolutions that its child was told, each before one drain.
        replies: what the child said to its start and to each turn, each a list of one `Reply` or more.
        part: the beginning of a reply, the rest of which is not known.
    """

    path: str
    begun: Begun | None = None
    is_compiled: bool = False
    has_notes: bool = False
    turns: list[Turn] = field(default_factory=list)
    replies: list[list[Reply]] = field(default_factory=list)
    part: list[Reply] = field(default_factory=list)

    def said(self, reply: Reply) -> None:
        """Take what the child said next."""
        self.part.append(reply)
        if reply.state is not State.PARTIAL:
            self.replies.append(self.part)
            self.part = []

    def compare(self, drained: Drained, parts: Sequence[Reply], number: int) -> list[Request]:
        """Hold a drain to the reply that was given in its place. Its requests beyond that.

        Args:
            drained: what the new child says.
            parts: of the reply; the rest is not known where the last is partial.
            number: of the reply.

        Raises:
            ReplayDiverged: the child has asked for something else.
        """
        left = {request.id: request for request in drained.requests}
        for part in parts:
            requests = [left.pop(each) for each in part.ids if each in left]
            said = Said(self.path, (), requests, state=part.state)
            if part.state is not State.PARTIAL:
                said = said._replace(state=state_of(drained), result=result_of(drained))
            if not part.matches(said):
                raise ReplayDiverged(self.path, number, _difference(part, said), part.said, said)
        if left and parts[-1].state is not State.PARTIAL:
            more = Said(self.path, (), list(left.values()))
            raise ReplayDiverged(self.path, number, f"it has asked for {', '.join(left)}, too", None, more)
        return list(left.values())


def _difference(part: Reply, said: Said) -> str:
    asked = [request.id for request in said.requests]
    if list(part.ids) != asked:
        return f"it asked for {', '.join(part.ids) or 'nothing'}, and now for {', '.join(asked) or 'nothing'}"
    if said.state is not part.state:
        return f"it was {part.state}, and now it is {said.state}"
    return "its result is another one" if said.state is State.COMPLETE else "it asked for something else"


def result_of(drained: Drained) -> Json:
    """The result of a workflow that is complete."""
    return drained.output["result"] if isinstance(drained.output, dict) else None


def state_of(drained: Drained) -> State:
    """Where a drain leaves its workflow."""
    if drained.more:
        return State.MORE
    if drained.complete:
        return State.COMPLETE
    return State.STALLED if drained.stalled else State.PENDING


@dataclass
class Past:
    """Of one run with its child workflows.

    Attributes:
        core: that was given all inputs.
        seconds: on the core's clock, by now.
        active_seconds: of its time, without that in which no host had it.
        workflows: those that had not ended, by path.
        asks, wakes, finishes: the last command of each kind, by request or by path.
        ended: how child workflows ended that are over, by path; without those that failed.
        slept_seconds: how long the run was asleep; None where it was not.
        sleeps: how often it was asleep by now.
        cpu_seconds: of its lives until now.
        made_by_others: which versions were others when it was begun, in words; None for none.
        emitted: how many events its lives in this process have told.
        begun: child workflows as their children were told of them, by path; also those that are over.
        behind: workflows whose new child is not where the old one was. What is commanded for them waits.
    """

    core: Core
    seconds: float
    active_seconds: float
    workflows: Mapping[str, PastWorkflow]
    asks: dict[str, Ask]
    wakes: dict[str, Wake]
    finishes: dict[str, Finish]
    ended: Mapping[str, Finish]
    slept_seconds: float | None = None
    sleeps: int = 0
    emitted: int = 0
    begun: Mapping[str, Begun] = field(default_factory=dict)
    behind: set[str] = field(default_factory=set)
    _taken_up: set[str] = field(default_factory=set)
    cpu_seconds: float = field(init=False)
    made_by_others: str | None = None

    def notes(self) -> tuple[dict[str, Json], ...]:
        """Diagnostics of this life, which no history has."""
        if self.made_by_others is None:
            return ()
        message = f"the run was begun with {self.made_by_others}, and was gone on with all the same"
        return ({"kind": "other_build", "message": message},)

    def __post_init__(self) -> None:
        self.cpu_seconds = round(self.core.tree.cpu_seconds, 6)
        self.behind.update(self.workflows)

    def hold(self, command: Command) -> bool:
        """Keep what is commanded for a workflow that is behind; False for another, or what need not wait."""
        path = command.id.rpartition("/")[0] if isinstance(command, Wake) else command.path
        if path not in self.behind:
            return False
        match command:
            case Ask():
                self.asks[command.id] = command
            case Wake():
                self.wakes[command.id] = command
            case Finish():
                self.finishes[path] = command
                return False
        return not isinstance(command, Emit)

    def renew(self, path: str, request: Request) -> None:
        """Take a request as the new child has asked for it: what is kept of it may have been redacted."""
        workflow = self.core.tree.workflows[path]
        if (call := workflow.calls.get(workflow.id_of(request))) is not None:
            call.request = request

    def takes_up(self, path: str) -> bool:
        """Whether a child workflow is to be gone on with, or its result to be given, for once."""
        if path in self._taken_up or not (path in self.workflows or path in self.ended):
            return False
        self._taken_up.add(path)
        return True

    def next_below(self, request: str) -> Begun | None:
        """The child workflow of this request that is taken up next, as it was begun; None where none is."""
        paths = [path for path in (*self.workflows, *self.ended) if request_of(path) == request]
        left = sorted(set(paths) - self._taken_up - {""}, key=_number)
        return self.begun.get(left[0]) if left else None

    def below(self, request: str) -> list[str]:
        """Paths of child workflows that this request has started, and first of those below them."""
        roots = [path for path in self.workflows if path and request_of(path) == request]
        found = [path for path in self.workflows if any(f"{path}/".startswith(f"{root}/") for root in roots)]
        return _deepest_first(found)

    def command_for(self, call: Call) -> Ask | Wake | None:
        """What is to be done again for a call; None for one that waits for nobody outside."""
        if call.stage in ("asked", "person"):
            asked = self.asks[call.id]
            return asked._replace(request=call.request, handle=call.handle, heard=call.heard)
        return self.wakes[call.id] if call.stage == "waiting" else None

    def unasked(self) -> list[str]:
        """Paths of child workflows whose request does not wait for an answer any more."""
        tree, found = self.core.tree, []
        for path in self.workflows:
            call = tree.call(request_of(path))
            if path and (call is None or call.stage != "asked"):
                found += [path, *self.below(path)]
        return _deepest_first(found)


def _deepest_first(paths: Iterable[str]) -> list[str]:
    return sorted(set(paths), key=lambda each: (-each.count("/"), each))


def _number(path: str) -> int:
    """Which of the child workflows of its request it is, from 1."""
    return int(path.rpartition("/")[2].partition(".")[2] or 1)
