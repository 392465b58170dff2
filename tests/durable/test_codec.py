"""Inputs as entries: what is read is what was written, and anything else is refused by name."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given

from flowcage.host.durable.errors import DamagedEntry, Unstorable
from flowcage.host.durable.history import codec, usual
from flowcage.host.durable.history.digests import digests_of
from flowcage.host.durable.history.forms import Withheld, withhold_prompts
from flowcage.host.run.core import inputs
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Answered, Input, Said, Spent, State, Turn
from flowcage.host.run.core.rules import Rules
from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING, AgentRequest, Log, SandboxExecRequest, WorkflowRequest

from . import entries

KEY = b"a key"
GOLDEN = Path(__file__).parent / "golden"
# What each golden file of version 1 holds.
WRITTEN = {
    "entries-1.jsonl": entries.INPUTS,
    "entries-1-reused.jsonl": entries.REUSED,
    "entries-1-costs.jsonl": entries.COSTS,
    "entries-1-told.jsonl": entries.TOLD,
}
ALL = [each for inputs in WRITTEN.values() for each in inputs]
NAMES = [f"{index}-{type(each).__name__}" for index, each in enumerate(ALL)]


def read(text: str | bytes) -> Input:
    data = text.encode() if isinstance(text, str) else text
    return codec.decode(data, "r", 7).input


def damaged(text: str) -> str:
    """Why an entry is refused."""
    with pytest.raises(DamagedEntry) as caught:
        read(text)
    assert (caught.value.run_id, caught.value.seq) == ("r", 7)
    assert str(caught.value) == f"run r, entry 7: {caught.value.why}"
    return caught.value.why


@pytest.mark.parametrize("wanted", ALL, ids=NAMES)
def test_an_input_is_read_as_it_was_written(wanted: Input) -> None:
    data = codec.encode(wanted, KEY)

    assert data.isascii()
    assert b"\n" not in data
    assert read(data) == wanted
    assert type(read(data)) is type(wanted)


@given(entries.inputs)
def test_any_input_is_read_as_it_was_written(wanted: Input) -> None:
    again = read(codec.encode(wanted, KEY))

    assert again == wanted
    assert codec.encode(again, KEY) == codec.encode(wanted, KEY)  # 1 and 1.0 and true are not the same


@given(entries.inputs)
def test_an_entry_with_a_member_more_or_less_is_refused_or_is_another(wanted: Input) -> None:
    form = json.loads(codec.encode(wanted, KEY))
    assert damaged(json.dumps(form | {"later": 1})).startswith("/later: ")
    for name in ("v", "t"):
        without = {member: value for member, value in form.items() if member != name}
        assert repr(name) in damaged(json.dumps(without))


def test_every_kind_of_input_is_in_the_table_and_in_the_golden_file() -> None:
    kinds = {each.__name__.lower() for each in get_args(inputs.Input)}

    assert {type(each).__name__.lower() for each in ALL} == kinds
    assert {path.name for path in GOLDEN.glob("entries-1*.jsonl")} == WRITTEN.keys()


@pytest.mark.parametrize("name", WRITTEN)
def test_what_version_1_wrote_is_read_for_ever(name: str) -> None:
    lines = (GOLDEN / name).read_text().splitlines()

    assert [read(line) for line in lines] == WRITTEN[name]
    assert [codec.encode(each, KEY).decode() for each in WRITTEN[name]] == lines


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not JSON: "),
        ("{", "is not JSON: "),
        ('{"v":1,"t":"turn","p":NaN}', "is not JSON: NaN is not JSON"),
        ('{"v":1,"t":"answered","id":"1","value":1e999}', "is not JSON: the number 1e999 is too large"),
        ("[" * 100_000, "is not JSON: "),
        ("[]", "entry: must be an object, not an array"),
        ("{}", "entry: member 'v' is required"),
        ('{"v":2,"t":"turn","p":""}', "/v: has version 2, this flowcage reads up to 1; use a newer one"),
        ('{"v":true,"t":"turn","p":""}', "/v: must be an integer, not a boolean"),
        ('{"v":1,"t":"step","p":""}', "/t: must be one of 'opened', "),
        ('{"v":1,"t":"turn"}', "entry: member 'p' is required"),
        ('{"v":1,"t":"turn","p":1}', "/p: must be a string, not a number"),
        ('{"v":1,"t":"answered","id":"1"}', "entry: member 'value' is required"),
        ('{"v":1,"t":"answered","id":"1","value":1,"spent":[1,2]}', "/spent: must be tokens, "),
        ('{"v":1,"t":"answered","id":"1","value":1,"spent":[true,2,3]}', "/spent: must be tokens, "),
        ('{"v":1,"t":"heard","id":"1"}', "entry: member 'value' is required"),
        ('{"v":1,"t":"answered","id":"1","value":1,"facts":[]}', "/facts: must be an object"),
        ('{"v":1,"t":"refused","id":"1","message":"m","reason":"bored"}', "/reason: must be one of "),
        ('{"v":1,"t":"noted","p":"","note":{"message":"m"}}', "/note: member 'kind' is required"),
        ('{"v":1,"t":"noted","p":""}', "entry: member 'note' is required"),
        ('{"v":1,"t":"ended","p":"","unbegun":[1]}', "/unbegun/0: must be a string"),
        ('{"v":1,"t":"compiled","p":"","dialect":"auto"}', "/dialect: must be one of 'module', 'script'"),
        ('{"v":1,"t":"said","p":""}', "entry: member 'asked' is required"),
        ('{"v":1,"t":"said","p":"","known":{"1":2}}', "/known/1: must be a string"),
        ('{"v":1,"t":"reused","id":"1","run":"r"}', "entry: member 'request' is required"),
        ('{"v":1,"t":"reused","id":"1","run":"r","request":"1","agents":-1}', "/agents: must be from 0"),
        (
            '{"v":1,"t":"said","p":"","asked":"","said":"","requests":[{"type":"agent","id":"1"}]}',
            "/requests/0: member 'prompt' is required",
        ),
        (
            '{"v":1,"t":"said","p":"","asked":"","said":"","requests":[{"type":"wish","id":"1"}]}',
            "/requests/0/type: must be one of ",
        ),
        (
            '{"v":1,"t":"said","p":"","asked":"","said":"","calls":[{"type":"log","values":[],"name":""}]}',
            "/calls/0/name: is no member of this version's entries",
        ),
    ],
)
def test_a_damaged_entry_is_refused_with_its_place(text: str, why: str) -> None:
    assert damaged(text).startswith(why)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, {1, 2}, 10**5000, object()], ids=["nan", "inf", "set", "digits", "object"]
)
def test_what_is_no_json_is_refused_before_it_is_written(value: Any) -> None:
    with pytest.raises(Unstorable, match="an input of the type answered is no JSON: "):
        codec.encode(Answered("1", value))


@pytest.mark.parametrize("value", ["\ud800", "\0", 1e308, 5e-324, -0.0, 10**400, 2**53 + 1, {"": [[]]}])
def test_odd_values_survive(value: Any) -> None:
    again = read(codec.encode(Answered("1", value)))

    assert isinstance(again, Answered)
    assert (type(again.value), repr(again.value)) == (type(value), repr(value))


# ---- digests ---------------------------------------------------------------------------------

ONE = Said("", (Log([1]),), (AgentRequest("1", "p", {"a": 1, "b": 2}),), ({"kind": "k", "message": "m"},))


def test_both_digests_are_stored_beside_a_reply() -> None:
    digests = codec.decode(codec.encode(ONE, KEY), "r", 7).digests

    assert digests == digests_of(KEY, ONE)
    assert codec.decode(codec.encode(Turn("")), "r", 7).digests is None


@pytest.mark.parametrize(
    ("other", "same_asked", "same_said"),
    [
        (ONE, True, True),
        (ONE._replace(requests=(AgentRequest("1", "p", {"b": 2, "a": 1}),)), True, True),
        (ONE._replace(path="3"), True, True),
        (ONE._replace(calls=(Log([2]),)), True, False),
        (ONE._replace(diagnostics=()), True, False),
        (ONE._replace(requests=(AgentRequest("1", "q", {"a": 1, "b": 2}),)), False, True),
        (ONE._replace(requests=(AgentRequest("1", "p", {"a": 1.0, "b": 2}),)), False, True),
        (ONE._replace(requests=()), False, True),
        (ONE._replace(state=State.STALLED), False, True),
        (ONE._replace(result=0), False, True),
    ],
)
def test_what_is_compared_strictly_and_what_is_not(other: Said, same_asked: bool, same_said: bool) -> None:
    one, two = digests_of(KEY, ONE), digests_of(KEY, other)

    assert (one.asked == two.asked, one.said == two.said) == (same_asked, same_said)


@pytest.mark.parametrize("prompt", ["p", '\ud800\0"\\\u00e9', ""])
@pytest.mark.parametrize(
    "options",
    [
        MISSING,
        {},
        {"b": 1},
        {"b": {"z": 1, "a": [1.0]}},
        {"b": 1, "a": 2},
        {"b": [{"z": 1, "a": 2}]},
        {"\ud800": None},
    ],
)
def test_the_usual_reply_has_the_bytes_of_any_other(prompt: str, options: Any) -> None:
    said = Said("3", requests=[AgentRequest("1", prompt, options), AgentRequest("2", prompt)])
    form = codec._WRITERS["said"](said) | codec._said(said, KEY, None)

    assert usual.encoded(said, KEY) == codec.encode(said, KEY)
    assert codec.encode(said, KEY) == strictjson.dumps_ascii({"v": 1, "t": "said"} | form).encode()
    assert codec.encode(said, KEY, lambda request, _: request) == codec.encode(said, KEY)


def test_a_digest_depends_on_its_key() -> None:
    assert {len(each) for each in digests_of(KEY, ONE)} == {32}
    assert digests_of(b"another", ONE).asked != digests_of(KEY, ONE).asked


# ---- what is not stored ----------------------------------------------------------------------

SECRETS = Said(
    "",
    requests=(
        AgentRequest("1", "secret", {"label": "a"}),
        WorkflowRequest("2", "kid", {"k": "secret"}),
        WorkflowRequest("3", "kid"),
        SandboxExecRequest("4", "default", {"command": "secret", "stdin": "secret"}),
    ),
)


def test_prompts_can_be_withheld_and_the_reply_is_still_compared() -> None:
    data = codec.encode(SECRETS, KEY, withhold_prompts)
    read_back, digests = codec.decode(data, "r", 7)

    assert b"secret" not in data
    assert digests == digests_of(KEY, SECRETS)
    assert isinstance(read_back, Said)
    agent, kid, bare, program = read_back.requests
    assert isinstance(agent, AgentRequest)
    assert isinstance(agent.prompt, Withheld)
    assert agent.options == {"label": "a"}
    assert isinstance(kid, WorkflowRequest)
    assert isinstance(kid.args, Withheld)
    assert bare == SECRETS.requests[2]
    assert isinstance(program, SandboxExecRequest)
    assert list(program.request) == ["command"]


def test_a_run_folds_without_its_prompts() -> None:
    log: list[Input] = [inputs.Opened("", "main.js"), SECRETS, Answered("1", "a", Spent(5)), Turn("")]
    kept = [read(codec.encode(each, KEY, withhold_prompts)) for each in log]
    cores = [Core(Rules()), Core(Rules())]
    told = [
        [type(command) for each in of for command in core.step(0.0, each)]
        for core, of in ((cores[0], log), (cores[1], kept))
    ]

    assert told[0] == told[1]
    assert cores[0].tree.totals == cores[1].tree.totals
