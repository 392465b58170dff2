"""Inputs of a run's core in few words, and its commands as lines that a table can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from flowcage.host.run.core.commands import Ask, Command, Emit, Finish, Ready, Tell, Wake
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Answered, Input, Opened, Reason, Refused, Said, Spent, State
from flowcage.host.run.core.kinds import KINDS, Kinds
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import (
    AgentRequest,
    Log,
    Ok,
    OkUndefined,
    Phase,
    Rejected,
    SandboxExecRequest,
    SleepRequest,
    WorkflowRequest,
)

HANDLERS = frozenset({"agent", "workflow", "sandbox_exec"})
RULES = Rules(handlers=HANDLERS)
ROOT = Opened("", "main.js")
QUIET = Said("")  # the child has run to quiet
MORE = Said("", state=State.MORE)
STALLED = Said("", state=State.STALLED)
COMPLETE = Said("", state=State.COMPLETE, result="done")


class At(NamedTuple):
    """An input with its time; without one, each comes a second after the one before."""

    now: float
    given: Input


Row: TypeAlias = Sequence[Input | At]


def agent(number: int, **options: Any) -> AgentRequest:
    """``agent("p", options)``."""
    return AgentRequest(str(number), "p", options)


def agents(last: int, first: int = 1, **options: Any) -> Said:
    """A drain of the root with agent calls."""
    return says(*(agent(number, **options) for number in range(first, last + 1)))


def program(number: int) -> SandboxExecRequest:
    return SandboxExecRequest(str(number), "default", {"command": "true"})


def below(number: int) -> WorkflowRequest:
    """``workflow("below")``."""
    return WorkflowRequest(str(number), "below", None)


def sleep(number: int, duration_ms: int = 500) -> SleepRequest:
    return SleepRequest(str(number), duration_ms)


def says(*things: Any, path: str = "", state: State = State.PENDING, result: Any = None) -> Said:
    """A drain with these calls, requests and diagnostics."""
    calls = [each for each in things if isinstance(each, Log | Phase)]
    notes = [each for each in things if isinstance(each, dict)]
    requests = [each for each in things if not isinstance(each, Log | Phase | dict)]
    return Said(path, calls, requests, notes, state, result)


def answer(identifier: int | str, value: Any = "yes", tokens: int = 0) -> Answered:
    return Answered(str(identifier), value, Spent(tokens))


def refuse(identifier: int | str, message: str = "busy", tokens: int = 0) -> Refused:
    return Refused(str(identifier), message, spent=Spent(tokens))


def wrong(identifier: int | str, text: str | None = "5", tokens: int = 0) -> Refused:
    """An answer that does not fit the call's schema."""
    return Refused(str(identifier), "no number", Reason.WRONG_ANSWER, text, Spent(tokens))


def retry(attempts: int, backoff_ms: float = 0) -> dict[str, Any]:
    """The option of an agent's call."""
    return {"maxAttempts": attempts, "backoffMs": backoff_ms}


def play(inputs: Row, rules: Rules = RULES, kinds: Kinds = KINDS) -> tuple[Core, list[list[Command]]]:
    """A core of an open root after these inputs, and what each of them had commanded."""
    core, now, found = Core(rules, kinds), 0.0, []
    core.step(now, ROOT)
    for each in inputs:
        now, given = each if isinstance(each, At) else (now + 1, each)
        found.append(core.step(now, given))
    return core, found


def commands(inputs: Row, rules: Rules = RULES, kinds: Kinds = KINDS) -> list[Command]:
    """Of all these inputs together."""
    return [command for step in play(inputs, rules, kinds)[1] for command in step]


def acts(inputs: Row, rules: Rules = RULES, kinds: Kinds = KINDS) -> list[str]:
    """What is commanded, one line each; without events."""
    return [line(each) for each in commands(inputs, rules, kinds) if not isinstance(each, Emit)]


def events(inputs: Row, rules: Rules = RULES) -> list[tuple[str, dict[str, Any]]]:
    """Types and members of the events."""
    found = [each for each in commands(inputs, rules) if isinstance(each, Emit)]
    return [(each.type, dict(each.members)) for each in found]


def event_names(inputs: Row, rules: Rules = RULES) -> list[str]:
    """Events as their type and their request's id; a failure that is no end is a `retry`."""
    found = []
    for kind, members in events(inputs, rules):
        name = "retry" if members.get("will_retry") else kind.removeprefix("agent_")
        found.append(f"{name} {members['request_id']}")
    return found


def line(command: Command) -> str:
    """One command in short: ``ask 1 attempt 2``, ``3: tell 1=yes 2!refused``, ``finish stalled``."""
    match command:
        case Ask(identifier, attempt=attempt, tries=tries):
            nth = f" attempt {attempt}" if attempt > 1 else ""
            return f"ask {identifier}{nth}" + (f" try {tries}" if tries > 1 else "")
        case Tell(path, resolves):
            return _of(path, " ".join(["tell", *(_resolution(*each) for each in resolves)]))
        case Wake(at, identifier):
            return f"wake {identifier} at {at:g}"
        case Ready(path):
            return _of(path, "ready")
        case Finish(path, verdict):
            return _of(path, f"finish {verdict}")
        case Emit(path, kind):
            return _of(path, f"emit {kind}")


def _resolution(identifier: str, resolution: Ok | OkUndefined | Rejected) -> str:
    match resolution:
        case Ok(value):
            return f"{identifier}={value}"
        case OkUndefined():
            return f"{identifier}=undefined"
        case Rejected(message):
            return f"{identifier}!{message.partition(':')[0]}"


def _of(path: str, text: str) -> str:
    return f"{path}: {text}" if path else text
