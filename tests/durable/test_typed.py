"""Two ways to read an entry: where the quick one has a value, the careful one has the same."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.history import codec, typed
from flowcage.host.run.core.inputs import Answered, Input, Said, Spent, State, Turn
from flowcage.protocol.messages import AgentRequest, Log, Phase, SleepRequest

from . import entries

KEY = b"a key"
USUAL: list[Input] = [
    Turn("3/1"),
    Answered("1", {"a": [1, 2.5, None, True]}, Spent(12, 0.25, 1.5), {"model": "small"}),
    Answered("2", None),
    Answered("3", "\0\n\u00e9\U0001f600", Spent(0, 0, 0)),
    Said(""),
    Said("3", requests=(AgentRequest("1", ""), AgentRequest("2", "p", {}), SleepRequest("3", 5))),
    Said("", (Log([1]), Phase("p"), Phase("q", {"detail": "d"})), state=State.PARTIAL),
    Said("", state=State.STALLED),
]
AGENT = '{"type":"agent","id":"1","prompt":"p"}'
ODD = [
    '{"v":1,"t":"turn","p":"","v":2}',
    '{"v":1,"t":"turn","p":"","v":1.0}',
    '{"v":1,"t":"turn","p":"","v":true}',
    '{"v":1,"t":"turn","p":"","t":"due"}',
    '{"v":1,"t":"turn","p":"a","p":"b"}',
    '{"v":1,"t":"turn","p":"","more":1}',
    '{"v":1,"t":"turn","p":""} ',
    '{"v":1,"t":"turn","p":""}{}',
    '{"v":1,"t":"turn","p":"\\ud800"}',
    '{"v":1,"t":"turn","p":"\\ud83d\\ude00"}',
    '{"v":1,"t":"turn","p":"\x01"}',
    '{"v":1,"t":"turn","p":"\u00e9"}',
    *(
        f'{{"v":1,"t":"answered","id":"1","value":{value}}}'
        for value in (
            *("-0", "-0.0", "1e400", "1e-400", "5e-324", "1E2", "01", ".5", "1.", "NaN", "-Infinity", "tru"),
            *("1.7976931348623157e308", "9007199254740993", "18446744073709551616", "9" * 299, "9" * 310),
            *("1" * 5000, "0.1" + "0" * 400 + "1", "[" * 600 + "]" * 600, '{"a":1,"a":2}', '"\\u0000"'),
            *('{"":{}}', '"\\x"', '"\t"', "[1,]", "null", "2.5e-8", "123456789012345678901234567890.5"),
        )
    ),
    *(
        f'{{"v":1,"t":"answered","id":"1","value":1,"spent":{spent}}}'
        for spent in (
            "[1,2,3]",
            "[1.0,2,3]",
            "[true,2,3]",
            "[1,2]",
            "[1,2,3,4]",
            '[1,"2",3]',
            "null",
            "{}",
            "[1,0.5,1e3]",
        )
    ),
    '{"v":1,"t":"answered","id":"1","value":1,"facts":null}',
    '{"v":1,"t":"answered","id":"1","value":1,"facts":{}}',
    '{"v":1,"t":"answered","id":1,"value":1}',
    '{"v":1,"t":"answered","id":"1"}',
    *(
        f'{{"v":1,"t":"said","p":"","asked":"a","said":"b",{more}}}'
        for more in (
            f'"requests":[{AGENT}]',
            f'"requests":[{AGENT},{AGENT}]',
            '"requests":[{"type":"agent","id":"1","prompt":"p","type":"sleep"}]',
            '"requests":[{"id":"1","prompt":"p","type":"agent"}]',
            '"requests":[{"type":"sleep","id":"1","durationMs":1,"type":"agent","prompt":"p"}]',
            '"requests":[{"type":"agent","id":"","prompt":"p"}]',
            '"requests":[{"type":"agent","id":"1","prompt":"p","options":null}]',
            '"requests":[{"type":"agent","id":"1","withheld":{"prompt":"d"}}]',
            '"requests":[{"type":"sleep","id":"1","durationMs":1.0}]',
            '"requests":[{"type":"sleep","id":"1","durationMs":true}]',
            '"requests":[{"type":"sleep","id":"1","durationMs":-1}]',
            '"requests":[{"type":"sleep","id":"1","durationMs":1e3}]',
            '"requests":{}',
            '"requests":null',
            '"calls":[{"type":"log","values":[]}]',
            '"calls":[{"type":"log","values":null}]',
            '"calls":[{"type":"phase","name":"n","options":1}]',
            '"calls":[{"type":"phase","values":[]}]',
            '"state":"done"',
            '"state":null',
            '"result":1',
            '"known":{}',
            '"notes":[]',
        )
    ),
]


def carefully(data: bytes) -> typed.Decoded | None:
    try:
        return codec.carefully(data, "r", 7)
    except DamagedEntry:
        return None


def agrees(data: bytes) -> bool:
    """Whether the quick way has a value, which is that of the careful one."""
    quick = typed.read(data)
    if quick is None:
        return False
    slow = carefully(data)
    assert slow is not None, "the quick way takes what the careful one refuses"
    assert quick == slow
    assert type(quick.input) is type(slow.input)
    # 1, 1.0 and true are equal to Python, and the order of members is none to it.
    assert codec.encode(quick.input, KEY) == codec.encode(slow.input, KEY)
    assert repr(quick) == repr(slow)
    return True


@pytest.mark.parametrize("wanted", USUAL, ids=range(len(USUAL)))
def test_the_usual_entries_are_read_the_quick_way(wanted: Input) -> None:
    data = codec.encode(wanted, KEY)

    assert agrees(data)
    assert codec.decode(data, "r", 7).input == wanted


@pytest.mark.parametrize("text", ODD)
def test_odd_entries_are_the_same_or_nothing(text: str) -> None:
    data = text.encode()

    agrees(data)
    slow = carefully(data)
    if slow is None:
        with pytest.raises(DamagedEntry):
            codec.decode(data, "r", 7)
    else:
        assert repr(codec.decode(data, "r", 7)) == repr(slow)


@given(entries.inputs)
def test_any_entry_is_the_same(wanted: Input) -> None:
    data = codec.encode(wanted, KEY)

    agrees(data)
    assert codec.decode(data, "r", 7).input == wanted


CORPUS = [codec.encode(each, KEY) for each in (*USUAL, *entries.INPUTS, *entries.REUSED)]
PIECES = [
    b'"',
    b"}",
    b"]",
    b",",
    b":",
    b"0",
    b"1",
    b"-",
    b"e",
    b".",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\\u0000",
    b" ",
]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(CORPUS), st.randoms(use_true_random=False))
def test_damaged_entries_are_the_same_or_nothing(data: bytes, rng: random.Random) -> None:
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(data))
        data = data[:start] + rng.choice(PIECES) + data[start + rng.randrange(4) :]
        agrees(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CORPUS), st.randoms(use_true_random=False))
def test_entries_with_other_members_are_the_same_or_nothing(data: bytes, rng: random.Random) -> None:
    form = json.loads(data)
    other = json.loads(rng.choice(CORPUS))
    for target in _objects(form):
        if target and rng.random() < 0.5:
            name = rng.choice(list(target))
            source = rng.choice(_objects(other))
            target[name if rng.random() < 0.7 else "v"] = rng.choice(
                [*source.values(), None, 1, 1.0, True, "", [], {}]
            )
    agrees(json.dumps(form, separators=(",", ":")).encode())


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(each for part in value.values() for each in _objects(part))]
    return [each for part in value for each in _objects(part)] if isinstance(value, list) else []
