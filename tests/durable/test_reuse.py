"""Which answers an edited run has from the old one, in what order, and what is said about the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from flowcage.host.durable.history import codec
from flowcage.host.durable.history.forms import withhold_prompts
from flowcage.host.durable.records import Entry, RunRecord, Summary
from flowcage.host.durable.reuse.calls import Call, calls_of
from flowcage.host.durable.reuse.content import Known, content_of, key_of
from flowcage.host.durable.reuse.explain import explain
from flowcage.host.durable.reuse.matching import Matching
from flowcage.host.durable.reuse.order import Waiting
from flowcage.host.run.core.inputs import Answered, Due, Input, Opened, Refused, Said, Turn
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import (
    AgentRequest,
    Request,
    SandboxExecRequest,
    SleepRequest,
    UnknownRequest,
    WorkflowRequest,
)

KEY = b"a key"
KNOWN = Known(
    "claude 5",
    {"": {"cheap": {"model": "small"}}},
    {"3": "hash of kid", "4": "hash of kid", "5": "hash of another"},
)


def agent(identifier: int | str, prompt: str = "p", **options: Any) -> AgentRequest:
    return AgentRequest(str(identifier), prompt, options)


def key(request: Request, known: Known = KNOWN) -> str | None:
    content = content_of(request, request.id, known)
    return None if content is None else key_of(content, KEY)


BASE = agent(1, "p", model="big", schema={"a": 1, "b": 2})


@pytest.mark.parametrize(
    "same",
    [
        agent(2, "p", model="big", schema={"b": 2, "a": 1}),
        agent(2, "p", model="big", schema={"a": 1, "b": 2}, label="other", retry={"maxAttempts": 3}),
        agent(2, "p", model="big", schema={"a": 1, "b": 2}, phase="cheap", timeoutMs=5),
        agent(2, "p", model="big", schema={"a": 1, "b": 2}, provider=None),
    ],
)
def test_what_does_not_count(same: AgentRequest) -> None:
    assert key(same) == key(BASE)


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        (BASE, agent(1, "q", model="big", schema={"a": 1, "b": 2}), False),
        (BASE, agent(1, "p", model="small", schema={"a": 1, "b": 2}), False),
        (BASE, agent(1, "p", model="big"), False),
        (agent(1, "p", phase="cheap"), agent(1, "p", model="small"), True),
        (agent(1, "p", phase="cheap"), agent(1, "p"), False),
        (agent(1), AgentRequest("1", "p"), True),
        (SleepRequest("1", 5), SleepRequest("2", 5), True),
        (SleepRequest("1", 5), SleepRequest("2", 6), False),
        (WorkflowRequest("3", "kid", {"n": 1}), WorkflowRequest("4", "renamed", {"n": 1}), True),
        (WorkflowRequest("3", "kid", {"n": 1}), WorkflowRequest("5", "kid", {"n": 1}), False),
        (WorkflowRequest("3", "kid", {"n": 1}), WorkflowRequest("4", "kid", {"n": 2}), False),
    ],
)
def test_what_counts(one: Request, other: Request, are_same: bool) -> None:
    assert (key(one) == key(other)) is are_same


def test_another_agent_behind_the_same_name_is_another_content() -> None:
    assert key(BASE) != key(BASE, KNOWN._replace(agent="claude 6"))


def test_what_is_never_reused() -> None:
    program = SandboxExecRequest("1", "default", {"command": "true"})
    for request in (UnknownRequest("1", "x"), WorkflowRequest("9", "of unknown source"), program):
        assert key(request) is None
    assert key(program, KNOWN._replace(programs=True)) is not None


# ---- the calls of a run ----------------------------------------------------------------------


def record(*inputs: Input, redacted: bool = False) -> RunRecord:
    """A run with this history, as a store gives it back."""
    decoded = [
        codec.decode(codec.encode(given, KEY, withhold_prompts if redacted else None), "r", seq)
        for seq, given in enumerate((Opened("", "w.js"), *inputs))
    ]
    entries = [Entry(seq, float(seq), 1, each.input, each.digests) for seq, each in enumerate(decoded)]
    rest: Any = (None,) * (len(Summary._fields) - 2)
    return RunRecord(Summary("r", "t", *rest), Rules(), KEY, {}, entries, (), None)


def says(*requests: Request) -> Said:
    return Said("", requests=requests)


HISTORY: list[Input] = [
    says(agent(1, "a", label="x"), agent(2, "b"), agent(3, "c"), SleepRequest("4", 5), agent(5, "e")),
    Answered("2", "B"),
    Turn(""),
    Due("4"),
    says(agent(6, "f")),
    Answered("1", "A"),
    Refused("3", "no"),
    Turn(""),
    says(),
    Answered("6", "F"),
]


def test_calls_have_the_turns_that_told_them() -> None:
    calls = calls_of(record(*HISTORY), KNOWN)

    assert [(each.id, each.outcome, each.turn, each.place) for each in calls] == [
        ("1", "answered", 1, 1),
        ("2", "answered", 0, 0),
        ("3", "failed", 1, 2),
        ("4", "answered", 1, 0),
        ("5", "open", None, 0),
        ("6", "answered", None, 0),
    ]
    assert [each.label for each in calls][:2] == ["x", None]
    assert calls[0].answer == Answered("1", "A")


def test_calls_whose_prompts_were_withheld_have_the_same_keys() -> None:
    kept, withheld = (calls_of(record(*HISTORY, redacted=each), KNOWN) for each in (False, True))

    assert [each.key for each in kept] == [each.key for each in withheld]
    assert len({each.key for each in kept}) == len(kept)


# ---- matching --------------------------------------------------------------------------------


def made(text: str) -> list[Call]:
    """Calls as ``content:label`` each, with ``!`` behind those that failed; their ids count from 1."""
    calls = []
    for number, word in enumerate(text.split(), 1):
        content, _, label = word.removesuffix("!").partition(":")
        found = content_of(agent(number, content), str(number), KNOWN)
        assert found is not None
        outcome: Any = "failed" if word.endswith("!") else "answered"
        answer = Answered(str(number), f"answer {number} of {content}")
        calls.append(
            Call(str(number), "", found, key_of(found, KEY), label or None, None, outcome, number, 0, answer)
        )
    return calls


@pytest.mark.parametrize(
    ("old", "new", "reused"),
    [
        ("a b c", "a b c", "1 2 3"),
        ("a b c", "c a b", "3 1 2"),
        ("a b", "x a b", "- 1 2"),
        ("a a a", "a a a a", "1 2 3 -"),
        ("p:a p:b p:c", "p:b p:c", "2 3"),
        ("p:a p:b", "p:x p:y", "1 2"),
        ("p:a p:b", "p:x p:b", "1 2"),
        ("a! b", "a b", "- 2"),
        ("a a! a", "a a a", "1 - 3"),
        ("p:a! p:b", "p:a p:b", "- 2"),
        ("p:a! p:b", "p:x", "2"),
        ("", "a", "-"),
    ],
)
def test_each_new_call_has_its_old_one(old: str, new: str, reused: str) -> None:
    matching = Matching(made(old))
    found = [matching.take(each) for each in made(new)]

    assert [each.id if each else "-" for each in found] == reused.split()


def test_answers_are_given_in_the_old_order() -> None:
    old = {each.id: each for each in calls_of(record(*HISTORY), KNOWN)}

    def order(waiting: Sequence[str], dropped: str = "") -> list[list[str]]:
        left, groups = Waiting(), []
        for each in waiting:
            left.add(f"new {each}", old[each])
        left.drop(f"new {dropped}")
        while left:
            groups.append([each.removeprefix("new ") for each, _ in left.next_group()])
        return groups

    assert order(["1", "2", "4", "6"]) == [["2"], ["4", "1"], ["6"]]
    assert order(["1", "6"]) == [["1"], ["6"]]
    assert order(["6", "1"], dropped="1") == [["6"]]
    assert Waiting().next_group() == []


# ---- explaining ------------------------------------------------------------------------------


def why(old: Sequence[Call], new: Sequence[Call]) -> list[str]:
    matching = Matching(old)
    decisions = [(each, matching.take(each)) for each in new]
    return [each.why or f"reused #{each.reused}" for each in explain(old, decisions)]


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        ("a b", "a b", ["reused #1", "reused #2"]),
        ("a! b", "a b", ["#1 failed before", "reused #2"]),
        ("a", "a a", ["reused #1", "asked 1 time before, 2 times now"]),
        ("a", "a b", ["reused #1", "new: the old run has no call left that is like it"]),
        ("step7", "stepseven", ["#1: prompt differs at character 4: '7' -> 'seven'"]),
        ("x1:l y:m", "z:m", ["#2: prompt differs at character 0: 'y' -> 'z'"]),
    ],
)
def test_a_miss_has_a_reason(old: str, new: str, reasons: list[str]) -> None:
    assert why(made(old), made(new)) == reasons


def test_a_cascade_is_told_from_its_cause() -> None:
    def run(first: str, answer: str) -> RunRecord:
        return record(
            says(agent(1, first)), Answered("1", answer), Turn(""), says(agent(2, f"check: {answer}"))
        )

    old, new = (calls_of(run(*each), KNOWN) for each in (("do 7", "seven is odd"), ("do 8", "eight is even")))
    assert why(old, new) == [
        "#1: prompt differs at character 3: '7' -> '8'",
        "#2: prompt holds the new answer of #1",
    ]


def test_an_option_and_a_withheld_prompt_are_named() -> None:
    def run(prompt: str, model: str) -> list[Call]:
        return calls_of(record(says(agent(1, prompt, model=model)), redacted=True), KNOWN)

    assert why(run("a", "small"), run("a", "large")) == ['#1: options.model: "small" -> "large"']
    assert why(run("a", "small"), run("b", "small")) == ["#1: prompt differs; it was not stored"]
    changed = calls_of(record(says(agent(1, "a"))), KNOWN._replace(agent="claude 6"))
    assert why(calls_of(record(says(agent(1, "a"))), KNOWN), changed) == [
        '#1: agent: "claude 5" -> "claude 6"'
    ]
