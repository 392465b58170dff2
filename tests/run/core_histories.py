"""Histories of runs, read off a tape of random bytes: what workflows, agents, children and clocks may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from flowcage.host.run.core.inputs import (
    Answered,
    Charged,
    Compiled,
    Due,
    Ended,
    Failed,
    Heard,
    Input,
    Noted,
    Opened,
    Reason,
    Refused,
    Said,
    Spent,
    State,
    Told,
    Turn,
)
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import (
    AgentRequest,
    Log,
    Phase,
    SandboxExecRequest,
    SleepRequest,
    UnknownRequest,
    WorkflowRequest,
)

from .core_reference import Reference
from .core_reference_books import Asked, Flow

T = TypeVar("T")

# What may come next, as often as it stands here.
OPS = (
    *("say",) * 9,
    *("turn",) * 8,
    *("answer",) * 5,
    *("refuse",) * 8,
    *("hear",) * 3,
    "charge",
    *("tell",) * 3,
    *("due",) * 5,
    *("open",) * 4,
    *("stale", "stale", "junk", "note", "compiled"),
)
RARE_OPS = ("ended", "failed", *("ended below",) * 4)
GOES_ON = (*(State.PENDING,) * 8, State.PARTIAL, State.PARTIAL)
ENDS = (State.MORE, State.MORE, State.STALLED, State.COMPLETE, State.COMPLETE)
REASONS: tuple[Reason, ...] = (
    Reason.REFUSED,
    Reason.REFUSED,
    Reason.TIMEOUT,
    *(Reason.WRONG_ANSWER,) * 4,
    Reason.BAD_CALL,
)
REASONS += (Reason.SHARE,) * 3
NEEDS: tuple[Any, ...] = (
    {"needs": {"tokens": 0, "usd": 0.0}},
    {"needs": {"tokens": 9, "usd": 0.75}},
    {"needs": {"tokens": None, "usd": 0.25}},
    {"needs": {"tokens": 0, "usd": None}},
    {},
)
RETRIES: tuple[Any, ...] = (
    *(None,) * 3,
    *({"maxAttempts": 2},) * 2,
    {"maxAttempts": 3, "backoffMs": 100},
    {"maxAttempts": 10, "backoffMs": 140},
    5,
)
NAMES = ("a", "b", "c")


class Tape:
    """Decisions, one byte each; at its end each is the first choice."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._data)

    def pick(self, choices: Sequence[T]) -> T:
        self._at += 1
        byte = self._data[self._at - 1] if self._at <= len(self._data) else 0
        return choices[byte % len(choices)]


def rules_from(tape: Tape) -> Rules:
    """Limits that are soon reached."""
    handlers = ("agent", "workflow", "sandbox_exec")
    return Rules(
        max_agents=tape.pick((2, 1, 3)),
        max_total_agents=tape.pick((100, 100, 30, 8, 4, 1)),
        max_children=tape.pick((2, 1)),
        max_total_children=tape.pick((9, 2, 1)),
        budget_tokens=tape.pick((None, None, None, 60, 20, 20, 0)),
        hard_budget=tape.pick((True, True, False)),
        max_sleep_ms=tape.pick((1000, 150)),
        agent_failure=tape.pick((None, None, "null", "throw")),
        handlers=frozenset(handlers[: tape.pick((3,) * 9 + (2, 1, 0))]),
        max_cost_usd=tape.pick((None, None, None, 4.0, 2.0, 1.0)),
        paced=tape.pick((True, True, False)),
        shared=tape.pick((True, True, True, False)),
    )


class History:
    """Gives the next input, after what the reference knows of the run by now."""

    def __init__(self, tape: Tape, reference: Reference) -> None:
        self._tape = tape
        self._reference = reference
        self._given: list[Input] = []
        self._now = 0.0
        self._numbers: dict[str, int] = {}

    def next(self) -> tuple[float, Input]:
        tape = self._tape
        self._now += tape.pick((1, 1, 1, 0, 0.5, -3))
        rare = tape.pick(range(60)) == 59
        given = self._make(tape.pick(RARE_OPS if rare else OPS))
        self._given.append(given)
        return self._now, given

    def _make(self, op: str) -> Input:
        maker = getattr(self, f"_{op.replace(' ', '_')}")
        given: Input | None = maker()
        return Turn(self._flow().path) if given is None else given

    def _flow(self, only: list[Flow] | None = None) -> Flow:
        flows = [flow for flow in self._reference.flows if not flow.gone] if only is None else only
        return self._tape.pick(flows or self._reference.flows)

    def _asked(self, where: str, kind: str = "") -> Asked | None:
        """A request that waits for this, now and then one that does not, or in a run that is over."""
        any_at_all = self._tape.pick(range(20)) == 19
        found = [
            each
            for each in self._reference.requests
            if any_at_all or (each.where == where and not each.flow.gone and kind in each.kind)
        ]
        return self._tape.pick(found) if found else None

    # ---- the child -------------------------------------------------------------------------------

    def _say(self) -> Input | None:
        listening = [flow for flow in self._reference.flows if flow.listens and not flow.gone]
        if not listening:
            return None
        flow, tape = self._flow(listening), self._tape
        state = tape.pick(ENDS if tape.pick(range(40)) == 39 else GOES_ON)
        calls = [self._call() for _ in range(tape.pick((0, 0, 0, 1, 2)))]
        requests = [self._request(flow) for _ in range(tape.pick((1, 2, 3, 0, 5)))]
        notes = [{"kind": tape.pick(("swallowed_error", "unawaited_request")), "message": "m"}]
        return Said(
            flow.path, calls, requests, notes * tape.pick((0, 0, 0, 0, 1)), state, result=len(requests)
        )

    def _call(self) -> Log | Phase:
        name, options = self._tape.pick(NAMES), self._tape.pick((None, {"n": 1}, {"n": 2}))
        return Phase(name, options) if self._tape.pick((True, False)) else Log([name])

    def _request(self, flow: Flow) -> Any:
        tape = self._tape
        number = self._numbers.get(flow.path, 0) + tape.pick(
            (*(1,) * 40, 0)
        )  # now and then one that was there
        self._numbers[flow.path] = number
        name = str(number)
        match tape.pick((*("agent",) * 8, *("workflow",) * 3, "program", "program", "sleep", "unknown")):
            case "agent":
                options = {"retry": tape.pick(RETRIES)}
                phase = tape.pick((None, None, *NAMES, ""))
                return AgentRequest(name, "p", options if phase is None else options | {"phase": phase})
            case "workflow":
                return WorkflowRequest(name, "below", None)
            case "program":
                return SandboxExecRequest(name, "default", {"command": "true"})
            case "sleep":
                return SleepRequest(name, 10 * number)
        return UnknownRequest(name, "newer")

    # ---- the host --------------------------------------------------------------------------------

    def _turn(self) -> Input:
        return Turn(self._flow([flow for flow in self._reference.flows if flow.ready and not flow.gone]).path)

    def _answer(self) -> Input | None:
        asked = self._asked("work")
        return None if asked is None else Answered(asked.id, self._tape.pick(NAMES), self._spent())

    def _refuse(self) -> Input | None:
        asked = self._asked("work")
        if asked is None:
            return None
        text = self._tape.pick(NAMES)
        reason = self._tape.pick(REASONS)
        spent = self._tape.pick((Spent(), self._spent())) if reason is Reason.SHARE else self._spent()
        needs = self._tape.pick(NEEDS) if reason is Reason.SHARE else {}
        return Refused(asked.id, f"no {text}", reason, text, spent, needs)

    def _hear(self) -> Input | None:
        asked = self._asked("work")
        return None if asked is None else Heard(asked.id, self._tape.pick(NAMES), self._spent(), {})

    def _charge(self) -> Input | None:
        asked = self._asked("work")
        return None if asked is None else Charged(asked.id, self._spent())

    def _tell(self) -> Input | None:
        asked = self._asked("work")
        return None if asked is None else Told(asked.id, self._spent(), {})

    def _spent(self) -> Spent:
        tape = self._tape
        dollars = None if tape.pick(range(30)) == 29 else tape.pick((0.0, 0.25, 0.5, 0.0, 1.0))
        return Spent(tape.pick((0, 1, 3, 0, 8)), dollars)

    def _due(self) -> Input | None:
        asked = self._asked("wait")
        return None if asked is None else Due(asked.id)

    def _open(self) -> Input | None:
        asked = self._asked("work", "workflow")
        if asked is None:
            return None
        same = [flow for flow in self._reference.flows if f"{flow.path}.".startswith(f"{asked.id}.")]
        path = f"{asked.id}.{len(same)}" if same else asked.id
        return Opened(path, self._tape.pick(("below.js", "other.js")), asked.id)

    def _ended(self) -> Input:
        return self._ended_one(self._flow())

    def _ended_below(self) -> Input | None:
        below = [flow for flow in self._reference.flows if flow.path and not flow.gone]
        return self._ended_one(self._flow(below)) if below else None

    def _ended_one(self, flow: Flow) -> Input:
        """Not every call that was to be asked had begun."""
        at_work = [each for each in self._reference.requests if each.flow is flow and each.where == "work"]
        return Ended(flow.path, frozenset(each.id for each in at_work if self._tape.pick((False, True))))

    def _failed(self) -> Input:
        return Failed(self._flow().path, "no")

    def _note(self) -> Input:
        return Noted(self._flow().path, {"kind": "meta_not_read", "message": "m"})

    def _compiled(self) -> Input:
        return Compiled(self._flow().path, self._tape.pick(("script", "module", None)))

    # ---- what no driver gives --------------------------------------------------------------------

    def _stale(self) -> Input | None:
        return self._tape.pick(self._given) if self._given else None

    def _junk(self) -> Input:
        name = self._tape.pick(("1", "2", "1/1", "1.1", "7", "1/1/1", "x"))
        other = self._tape.pick(("1", "2", "", "1/1"))
        inputs: list[Input] = [Answered(name, 1), Refused(name, "no"), Due(name), Turn(name), Said(name)]
        inputs += [Opened(name, "junk.js", other), Ended(name), Failed(name, "no")]
        return self._tape.pick(inputs)
