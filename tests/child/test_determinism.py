"""A run is a pure function of its source, its args and its answers: two processes tell the same story."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..fuzz.programs import programs
from ..protocol.strategies import json_values
from .child_process import COMMAND, ChildProcess

MAX_MESSAGES = 60

# `python -I` draws another hash seed in each process, whatever PYTHONHASHSEED says; here it says so too.
SURROUNDINGS: list[dict[str, str]] = [
    {"PYTHONHASHSEED": "1", "TZ": "UTC0", "LC_ALL": "C", "HOME": "/"},
    {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "NOISE": "n" * 5_000},
]


class Policy(NamedTuple):
    """How the host behaves, by nothing but what it was asked.

    Attributes:
        answers: the resolution of request `n` is the one at `n` modulo their number; None is no answer.
        order: which of the outstanding requests are settled between two steps.
        drains: with `drain`; otherwise with `poll`, and `take` at the first request reported.
    """

    answers: list[dict[str, Any] | None]
    order: str
    drains: bool


class Conversation:
    """One run in one child, and every line that the child replied with.

    Args:
        pauses: seconds to wait before each message, over and over.
    """

    def __init__(self, child: ChildProcess, policy: Policy, pauses: list[float]) -> None:
        self.lines: list[bytes] = []
        self._child = child
        self._policy = policy
        self._pauses = pauses
        self._outstanding: dict[str, dict[str, Any]] = {}

    def say(self, method: str, **params: Any) -> dict[str, Any]:
        """One message and its reply."""
        number = len(self.lines)
        time.sleep(self._pauses[number % len(self._pauses)])  # noise: no clock may show
        self._child.send_request(method, params, number)
        self.lines.append(self._child.next_line())
        reply: dict[str, Any] = json.loads(self.lines[-1])
        return reply

    def run(self, source: str, args: Any) -> list[bytes]:
        """From `initialize` to an end, or to where nobody answers any more."""
        # Left out, it would follow from what the process has mapped.
        self.say("initialize", protocolVersion="1.0", limits={"addressSpaceBytes": 2**30})
        self.say("start", source=source, args=args, budget={"total": 100, "spent": 3})
        while len(self.lines) < MAX_MESSAGES and self._step():
            pass
        self.say("drain")
        return self.lines

    def _step(self) -> bool:
        reply = self.say("drain" if self._policy.drains else "poll")
        if "error" in reply:
            return False
        result = reply["result"]
        if result.get("type") == "call":
            return True
        if result.get("type") == "request":
            result = self.say("take")["result"]
        self._outstanding |= {request["id"]: request for request in result.get("requests", [])}
        return self._answer()

    def _answer(self) -> bool:
        answers = self._policy.answers
        waiting = [(id, answers[int(id) % len(answers)]) for id in self._outstanding]
        settled = [(id, answer) for id, answer in waiting if answer is not None]
        chosen = {"oldest": settled[:1], "newest": settled[-1:], "all": settled, "reversed": settled[::-1]}
        for id, resolution in chosen[self._policy.order]:
            del self._outstanding[id]
            self.say("resolve", id=id, resolution=resolution)
        return bool(settled)


@contextmanager
def children() -> Iterator[list[ChildProcess]]:
    """Two children that have nothing in common but the package."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SURROUNDINGS[0].items():
            patch.setenv(name, value)
        first = ChildProcess(COMMAND)
        for name, value in SURROUNDINGS[1].items():
            patch.setenv(name, value)
        patch.chdir("/")
        second = ChildProcess(COMMAND)
    with first, second:
        yield [first, second]


def transcripts(source: str, args: Any, policy: Policy, pauses: list[float]) -> list[list[bytes]]:
    """What each of two children replied to the same source, args and answers."""
    with children() as (first, second):
        return [
            Conversation(first, policy, [0.0]).run(source, args),
            Conversation(second, policy, pauses).run(source, args),
        ]


ANSWERS = st.one_of(
    st.none(),
    st.just({"type": "ok_undefined"}),
    st.builds(lambda message: {"type": "error", "message": message}, st.text(max_size=5)),
    st.builds(lambda value: {"type": "ok", "value": value}, json_values(3)),
    st.just({"type": "ok", "value": {"b": 1, "a": [0.1]}, "budget": {"total": 100, "spent": 50}}),
)
POLICIES = st.builds(
    Policy,
    st.lists(ANSWERS, min_size=1, max_size=4),
    st.sampled_from(["oldest", "newest", "all", "reversed"]),
    st.booleans(),
)
PAUSES = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.003]), min_size=1, max_size=4)


EXAMPLES = int(os.environ.get("FLOWCAGE_FUZZ_EXAMPLES", "15"))


@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(source=programs(), args=json_values(4), policy=POLICIES, pauses=PAUSES)
def test_two_processes_reply_with_the_same_bytes(
    source: str, args: Any, policy: Policy, pauses: list[float]
) -> None:
    first, second = transcripts(source, args, policy, pauses)
    assert first == second


# Each shows something that an engine may take from its process, and this one must not.
REVEALING = {
    "the depth at which the stack ends": """
        let n = 0; const dive = () => { n += 1; dive(); };
        try { dive(); } catch {}
        return n;
    """,
    "the order of many keys": """
        const o = {}; for (let i = 0; i < 999; i++) o['k' + (i * 7919) % 999] = i;
        return o;
    """,
    "the order of a set of objects": """
        return [...new Set(Array.from({ length: 999 }, (_, i) => ({ i: (i * 7919) % 999 })))];
    """,
    "a sort of equals": """
        return Array.from({ length: 999 }, (_, i) => [i % 7, i]).sort((a, b) => a[0] - b[0]);
    """,
    "an inconsistent sort": """
        let n = 0;
        return Array.from({ length: 99 }, (_, i) => i).sort(() => (n++ % 3) - 1);
    """,
    "numbers by locale": """
        return [1234567.891.toLocaleString(), (1n << 70n).toLocaleString(), [1.5, 2].toLocaleString()];
    """,
    "text by locale": """
        const sorted = [...'zäaZöo'].sort((a, b) => a.localeCompare(b));
        return ['I'.toLocaleLowerCase(), 'i'.toLocaleUpperCase(), sorted];
    """,
    "what there is": """
        return Reflect.ownKeys(globalThis).map((name) => [String(name), typeof globalThis[name]]);
    """,
    "what functions look like": "return [agent, log, parallel, Math.max, class A { #b = 1 }].map(String);",
    "stacks": """
        return await parallel([1, 2].map((i) => async () => {
            await agent(String(i));
            return new Error('x').stack;
        }));
    """,
    "the last digits of functions": """
        const names = Object.getOwnPropertyNames(Math).filter((name) => typeof Math[name] === 'function');
        const known = names.filter((name) => name !== 'random' && name !== 'sumPrecise');
        return known.map((name) => [name, String(Math[name](0.7, 0.3))]);
    """,
    "weak collections": """
        const key = {}, weak = new WeakMap([[key, 1]]);
        for (let i = 0; i < 1e5; i++) weak.set({}, i);
        return [weak.get(key), String(weak), Reflect.ownKeys(weak).length];
    """,
}


@pytest.mark.parametrize("body", REVEALING.values(), ids=REVEALING)
def test_no_process_shows_in(body: str) -> None:
    policy = Policy([{"type": "ok", "value": "answer"}], "all", drains=True)
    first, second = transcripts(body, {}, policy, [0.002])
    assert b'"output":{"result":' in first[-1], first[-1]
    assert first == second
