"""`run` and `advance` answer as the messages that they join, however the run goes: two children, compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from .child_process import ChildProcess, Refused

MIB = 1 << 20
HOG = "const a = []; for (;;) a.push(new Array(10000).fill(0));"
LARGE = ["a small value"] * 200_000
# Both children have all of these; a step ends by itself, not by the machine's load.
LIMITS = {"memoryBytes": 4 * MIB, "stepTimeoutMs": 15_000}

Settlement = dict[str, Any]
Turn = list[Settlement]


def ok(identifier: str, value: Any = None, **members: Any) -> Settlement:
    return {"id": identifier, "resolution": {"type": "ok", "value": value, **members}}


def error(identifier: str) -> Settlement:
    return {"id": identifier, "resolution": {"type": "error", "message": "no"}}


class Conversation(NamedTuple):
    """A workflow, and what is settled turn by turn. More limits than `LIMITS` are of the whole child."""

    source: str
    turns: tuple[Turn, ...] = ()
    limits: dict[str, int] = {}  # noqa: RUF012 - never changed
    params: dict[str, Any] = {}  # noqa: RUF012 - never changed


CONVERSATIONS = {
    "nothing is asked": Conversation("log('a'); return 1;", params={"describe": True}),
    "a module": Conversation("export default 1;", params={"describe": True}),
    "args and budget": Conversation(
        "return [args, budget.total, budget.spent()];",
        params={"args": [None], "budget": {"total": 5, "spent": 1}, "sourceName": "a/b.js"},
    ),
    "stalled": Conversation("await new Promise(() => {});"),
    "syntax": Conversation("return 1 +;", params={"describe": True}),
    "import": Conversation("import 'fs'; return 1;"),
    "no default": Conversation("export const a = 1;"),
    "thrown at once": Conversation("throw new TypeError('at once');"),
    "thrown after a call": Conversation("log('a'); agent('b'); throw new TypeError('later');", ([ok("1")],)),
    "no JSON": Conversation("log('a'); return 1n;"),
    "a limit": Conversation("for (;;) agent('x');", ([ok("1"), ok("2")],), {"maxPendingRequests": 2}),
    "a source that fills the heap": Conversation("return [" + "()=>0," * 90_000 + "1].length"),
    "args that fill the heap": Conversation("return 1;", params={"args": LARGE}),
    "a run that fills the heap": Conversation(f"log('before'); agent('x'); {HOG}", ([ok("1")],)),
    "a run that fills it and has said nothing": Conversation(HOG),
    "too small for any workflow": Conversation("return 1;", limits={"memoryBytes": 1000}),
    "a large answer": Conversation(
        "log('a'); const x = await agent('b'); return x.length;",
        ([ok("1", "x" * (3 * MIB))],),
        {"memoryBytes": 128 * MIB, "maxQueuedBytes": MIB},
    ),
    "one agent": Conversation("return [await agent('a'), budget.spent()];", ([ok("1", 2)],)),
    "all kinds": Conversation(
        "const all = [agent('a'), SW.extra.sleep(1), workflow('w'), agent('b').catch(String)];\n"
        "return [await Promise.all(all), budget.spent()];",
        ([error("4"), {"id": "2", "resolution": {"type": "ok_undefined"}}, ok("3", {"a": [1.5]})],
         [ok("1", "\ud800 é", budget={"total": None, "spent": 3})]),
    ),
    "the order of settling": Conversation(
        "agent('a').then(log); agent('b').then(log); return await agent('c');",
        ([ok("2", 2), ok("3", 3), ok("1", 1)],),
    ),
    "several turns": Conversation(
        "for (let n = 0; n < 3; n++) log(await agent(`${n}`)); return await parallel([() => agent('p')]);",
        ([ok("1", "A")], [ok("2", "B")], [ok("3", "C")], [error("4")]),
    ),
    "it fails in a turn": Conversation(
        "log(await agent('a')); agent('b'); throw new Error('told');", ([ok("1", "A")], [ok("2")])
    ),
    "it fails in a turn and has said nothing": Conversation("await agent('a'); null.x;", ([ok("1")],)),
    "left behind": Conversation("agent('a'); agent('b'); return 1;", ([ok("2")], [ok("1")])),
    "an answer that fills the heap": Conversation(
        "const all = [agent('a'), agent('b'), agent('c')]; return (await Promise.all(all)).length;",
        ([ok("1", "A"), ok("2", LARGE), ok("3", "C")],),
    ),
    "an answer that fills the heap, alone": Conversation(
        "return (await agent('x')).length;", ([ok("1", LARGE)],)
    ),
    "a turn that fills the heap": Conversation(
        f"log(await agent('a')); agent('b'); await agent('c'); {HOG}", ([ok("1", "A")], [ok("3"), ok("2")])
    ),
    "a turn that fills the heap with nothing said": Conversation(f"await agent('c'); {HOG}", ([ok("1")],)),
    "a reply that is too long": Conversation(
        "await agent('a'); log('x'.repeat(5000)); return 1;", ([ok("1")],), {"maxMessageBytes": 4096}
    ),
}  # fmt: skip


def child_for(conversation: Conversation) -> ChildProcess:
    child = ChildProcess()
    child.initialize(**{**LIMITS, **conversation.limits})
    return child


def told(child: ChildProcess, method: str, params: dict[str, Any]) -> Any:
    """The result of a message, or the error that answers it."""
    try:
        return child.request(method, **params)
    except Refused as refused:
        return refused.code, refused.message, refused.data


def afterwards(child: ChildProcess, conversation: Conversation) -> Iterator[Any]:
    """How the run stands then: its state twice, and which requests are outstanding."""
    yield told(child, "drain", {})
    yield told(child, "poll", {})
    for turn in conversation.turns:
        for settlement in turn:
            yield told(child, "resolve", {"id": settlement["id"], "resolution": {"type": "ok_undefined"}})
    yield told(child, "drain", {})


def with_describe(started: Any, drained: Any) -> Any:
    """What `run` answers where `start` and `drain` answer so."""
    if isinstance(started, tuple):
        return started
    return {**drained, **started} if isinstance(drained, dict) else drained


def one_by_one(conversation: Conversation) -> list[Any]:
    """By the messages that the two join; of each, what the last one was answered with."""
    with child_for(conversation) as child:
        started = told(child, "start", {"source": conversation.source, **conversation.params})
        heard = [with_describe(started, told(child, "drain", {}))]
        for turn in conversation.turns:
            for settlement in turn:
                told(child, "resolve", settlement)
            heard.append(told(child, "drain", {}))
        return [*heard, *afterwards(child, conversation)]


def joined(conversation: Conversation) -> list[Any]:
    with child_for(conversation) as child:
        heard = [told(child, "run", {"source": conversation.source, **conversation.params})]
        heard += [told(child, "advance", {"turns": [turn]}) for turn in conversation.turns]
        return [*heard, *afterwards(child, conversation)]


@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_the_answers_are_those_of_the_messages_that_they_join(conversation: Conversation) -> None:
    assert joined(conversation) == one_by_one(conversation)


ALL_AT_ONCE = [
    name
    for name, conversation in CONVERSATIONS.items()
    if len(conversation.turns) > 1 and name not in ("it fails in a turn", "left behind")
]


@pytest.mark.parametrize("name", ALL_AT_ONCE)
def test_turns_of_one_message_come_to_the_same_as_messages_of_one_turn(name: str) -> None:
    conversation = CONVERSATIONS[name]
    with child_for(conversation) as child:
        first = told(child, "run", {"source": conversation.source, **conversation.params})
        last = told(child, "advance", {"turns": list(conversation.turns)})
        after = list(afterwards(child, conversation))
    one_by_one = joined(conversation)
    assert [first, *after] == [one_by_one[0], *one_by_one[1 + len(conversation.turns) :]]
    apart = one_by_one[1 : 1 + len(conversation.turns)]
    if isinstance(last, dict):
        assert last["calls"] == [call for each in apart if isinstance(each, dict) for call in each["calls"]]
        assert last["state"] == apart[-1]["state"] if isinstance(apart[-1], dict) else last["more"]
    else:
        assert last == apart[-1]


def test_a_turn_in_which_the_run_ends_is_the_last_one(child: ChildProcess) -> None:
    child.initialize()
    child.run("log(await agent('a')); agent('b'); throw new Error('told');")
    drained = child.advance([ok("1", "A")], [ok("2")], [ok("99")])
    assert ([call["values"] for call in drained["calls"]], drained["more"]) == ([["A"]], True)
    assert [request["id"] for request in drained["requests"]] == ["2"]
    assert child.refused("exception", "advance", turns=[[ok("2")]])["message"] == "told"
    assert child.refused("unknown_request", "advance", turns=[[ok("2")]])["turn"] == 0


def test_an_unknown_id_leaves_the_run_and_the_turn_as_they_were(child: ChildProcess) -> None:
    child.initialize()
    child.run("return [await agent('a'), await agent('b'), await agent('c')];")
    for turns, data in (
        ([[ok("2")]], {"id": "2", "turn": 0}),
        ([[ok("1"), ok("1")]], {"id": "1", "turn": 0}),
        ([[ok("1", "A")], [ok("2", "?"), ok("3")]], {"id": "3", "turn": 1}),
        ([[ok("1", "again")]], {"id": "1", "turn": 0}),
        ([[ok("2", "B")], [ok("3", "?"), ok("3", "?")], [ok("3")]], {"id": "3", "turn": 1}),
    ):
        told = child.refused("unknown_request", "advance", turns=turns)
        assert told == {"kind": "unknown_request", **data}
        assert child.refused("invalid_state", "run", source="return 1")["state"] == "running"
    assert child.advance([ok("3", "C")])["output"] == {"result": ["A", "B", "C"]}


def test_a_heap_that_a_later_turn_fills_leaves_the_turns_before_it_applied(child: ChildProcess) -> None:
    child.initialize(**LIMITS)
    child.run("log(await agent('a')); const all = [agent('b'), agent('c')]; return (await all[0]).length;")
    drained = child.advance([ok("1", "A")], [ok("3", "C"), ok("2", LARGE)], [ok("99")])
    assert ([call["values"] for call in drained["calls"]], drained.get("more")) == ([["A"]], True)
    assert child.failure().kind == "memory"
    for identifier in ("1", "2", "3"):
        child.refused("unknown_request", "resolve", **ok(identifier))


# ---- limits of a run -------------------------------------------------------------------------

LOWER = {
    "memoryBytes": (2 * MIB, HOG, "memory"),
    "stackBytes": (50_000, "const f = (n) => (n ? 1 + f(n - 1) : 0); return f(2000);", "stack"),
    "stepTimeoutMs": (50, "for (;;);", "timeout"),
    "cpuSeconds": (1, "for (;;);", "timeout"),
    "maxSleepMs": (10, "await SW.extra.sleep(11);", "exception"),
    "maxPendingRequests": (1, "agent('a'); agent('b');", "limit"),
    "maxQueuedBytes": (500, "log('x'.repeat(1000)); return 1;", "limit"),
}
FREE = {"memoryBytes": 64 * MIB, "stepTimeoutMs": 30_000, "cpuSeconds": 60}


@pytest.mark.parametrize("name", LOWER)
def test_a_run_is_held_to_a_lower_limit(child: ChildProcess, name: str) -> None:
    limit, source, kind = LOWER[name]
    child.initialize(**FREE)
    try:
        child.run(source, limits={name: limit}, dialect="script")
        failure = child.failure()
    except Refused as refused:
        failure = refused
    assert failure.kind == kind
    assert name not in ("memoryBytes", "cpuSeconds") or str(limit) in failure.message


@pytest.mark.parametrize("name", LOWER)
def test_no_run_has_more_than_its_child_holds_to(child: ChildProcess, name: str) -> None:
    limit, source, kind = LOWER[name]
    child.initialize(**{**FREE, name: limit})
    try:
        child.run(source, limits={name: 2**53 - 1}, dialect="script")
        failure = child.failure()
    except Refused as refused:
        failure = refused
    assert failure.kind == kind


def test_a_limit_too_small_for_any_workflow_is_the_answer_to_run(child: ChildProcess) -> None:
    child.initialize()
    failure = child.refused("memory", "run", source="return 1;", limits={"memoryBytes": 1000})
    assert "too small for any workflow" in failure["message"]
    assert child.refused("memory", "drain") == failure
    assert child.refused("unknown_request", "advance", turns=[[ok("1")]]) == {
        "kind": "unknown_request",
        "id": "1",
        "turn": 0,
    }
