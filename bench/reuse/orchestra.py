"""Agents that answer in an order that is drawn from a seed, whatever the machine does meanwhile."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import trio

from flowcage.host import AgentAnswer, AgentCall, RequestRejected
from flowcage.host.run.core.inputs import Input
from flowcage.host.run.past.journal import Begun, Journal
from flowcage.host.run.past.past import PastWorkflow
from flowcage.host.run.run import Run
from flowcage.protocol.messages import AgentRequest, Json, WorkflowRequest


class _Parked:
    """A call that waits; it fails where it gets no answer."""

    def __init__(self, call: AgentCall) -> None:
        self.call = call
        self.is_answered = trio.Event()
        self.answer: AgentAnswer | None = None


class Orchestra:
    """Agents of one run: all wait, and once nothing else happens some of them answer.

    Args:
        seed: of the order.
        fails: number of the call that is refused, counted from 1 in the order of the answers.
    """

    def __init__(self, seed: int, fails: int | None = None) -> None:
        self._rng = random.Random(seed)
        self._seed = seed
        self._fails = fails
        self._parked: dict[str, _Parked] = {}
        self._changed = trio.Event()
        self._equal: dict[str, int] = {}
        self.run: Run | None = None
        self.asked = 0
        self._answered = 0

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.asked += 1
        parked = self._parked[f"{call.run_id}/{call.id}"] = _Parked(call)
        self.change()
        await parked.is_answered.wait()
        if parked.answer is None:
            raise RequestRejected("the service is down")
        return parked.answer

    def change(self) -> None:
        """Look again whether everybody waits."""
        self._changed.set()

    async def conduct(self) -> None:
        """Have agents answer, for as long as this is not cancelled."""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            if self._everybody_waits():
                some = self._rng.sample(sorted(self._parked), self._rng.randint(1, min(3, len(self._parked))))
                for key in some:
                    self._answer(self._parked.pop(key))

    def _everybody_waits(self) -> bool:
        assert self.run is not None
        workflows = self.run.driver.core.tree.workflows
        calls = [call for each in workflows.values() for call in each.calls.values()]
        asked = [call for call in calls if call.stage == "asked" and isinstance(call.request, AgentRequest)]
        starting = [
            call
            for call in calls
            if call.stage == "asked"
            and isinstance(call.request, WorkflowRequest)
            and call.id not in workflows
        ]
        is_busy = any(each.is_listening for each in workflows.values())
        is_next = any(call.stage in ("known", "waiting") for call in calls)
        return bool(self._parked) and len(self._parked) == len(asked) and not (is_busy or starting or is_next)

    def _answer(self, parked: _Parked) -> None:
        self._answered += 1
        if self._answered != self._fails:
            parked.answer = self._answer_to(parked.call)
        parked.is_answered.set()

    def _answer_to(self, call: AgentCall) -> AgentAnswer:
        what = json.dumps([call.prompt, call.schema], sort_keys=True)
        self._equal[what] = nth = self._equal.get(what, 0) + 1
        text = what if nth == 1 else f"{what} {self._seed} {nth}"
        number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
        value = f"text {number:016x}" if call.schema is None else _instance(call.schema, number)
        return AgentAnswer(value, tokens=number % 500)


def _instance(schema: Any, number: int) -> Json:
    if "enum" in schema:
        return schema["enum"][number % len(schema["enum"])]
    match schema.get("type"):
        case "object":
            members = schema["properties"].items()
            return {name: _instance(of, number * 31 + i) for i, (name, of) in enumerate(members)}
        case "array":
            count = schema.get("minItems", 2)
            return [_instance(schema["items"], number * 17 + i) for i in range(count)]
        case "integer":
            return schema.get("minimum", 0) + number % (schema.get("maximum", 9) + 1)
        case "boolean":
            return number % 2 == 0
    return f"text {number % 2**32:08x}"


class Tap:
    """A journal that tells the agents that something has happened."""

    def __init__(self, inner: Journal, orchestra: Orchestra) -> None:
        self._inner = inner
        self._orchestra = orchestra

    def record(self, now: float, given: Input) -> None:
        self._inner.record(now, given)
        self._orchestra.change()

    def begin(self, begun: Begun) -> None:
        self._inner.begin(begun)

    def flush(self) -> None:
        self._inner.flush()

    async def past(self, path: str) -> PastWorkflow:
        return await self._inner.past(path)

    async def kept(self) -> None:
        await self._inner.kept()
