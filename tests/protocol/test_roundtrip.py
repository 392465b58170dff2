"""What encode writes, decode reads, and the published schema allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcage.protocol import decode, encode, strictjson
from flowcage.protocol.limits import MAX_STACK_BYTES, WIRE_NAMES, Limits, effective
from flowcage.protocol.messages import (
    METHODS,
    MISSING,
    Checked,
    Initialize,
    Initialized,
    Message,
    Start,
    Started,
)
from flowcage.schemas import validate

from .strategies import MESSAGES, checked, initialized, limits, started


def over_the_wire(value: Any) -> Any:
    return strictjson.loads(strictjson.dumps(value).encode())


def test_there_is_a_strategy_for_every_method() -> None:
    assert MESSAGES.keys() == METHODS.keys()


@given(st.one_of(*MESSAGES.values()))
def test_every_message_survives_the_wire(message: Message) -> None:
    params = over_the_wire(encode.params(message))
    assert validate.params_error(encode.method(message), params) is None
    received = decode.message(encode.method(message), params)
    # Named tuples of different types can be equal: Poll() == Take().
    assert (type(received), received) == (type(message), message)


@given(initialized())
def test_the_answer_to_initialize_survives_the_wire(answer: Initialized) -> None:
    result = over_the_wire(encode.initialized(answer))
    assert validate.result_error("initialize", result) is None
    assert decode.initialized(result) == answer


@given(started())
def test_the_answer_to_start_survives_the_wire(answer: Started) -> None:
    result = over_the_wire(encode.started(answer))
    assert validate.result_error("start", result) is None
    assert decode.started(result) == answer == decode.result("start", result)


def test_an_older_child_is_asked_and_answers_as_ever() -> None:
    assert "describe" not in encode.params(Start("x"))
    assert encode.params(Start("x", describe=True))["describe"] is True
    assert decode.result("start", {}) == Started()


@given(checked())
def test_the_answer_to_check_survives_the_wire(answer: Checked) -> None:
    result = over_the_wire(encode.checked(answer))
    assert validate.result_error("check", result) is None
    assert decode.checked(result) == answer


@given(limits())
def test_limits_are_camel_case_on_the_wire_and_zero_is_left_out(value: Limits) -> None:
    expected = {WIRE_NAMES[name]: limit for name, limit in value._asdict().items() if limit}
    assert value.to_wire() == expected


def test_the_wire_names_of_the_limits_are_those_of_the_contract() -> None:
    assert set(WIRE_NAMES.values()) == {
        "memoryBytes",
        "stackBytes",
        "stepTimeoutMs",
        "cpuSeconds",
        "addressSpaceBytes",
        "maxSleepMs",
        "maxMessageBytes",
        "maxPendingRequests",
        "maxQueuedBytes",
    }


def test_a_stack_larger_than_the_process_has_counts_as_the_largest() -> None:
    assert effective(Limits(stack_bytes=MAX_STACK_BYTES + 1)).stack_bytes == MAX_STACK_BYTES


@pytest.mark.parametrize("args", [None, False, 0, "", [], {}])
def test_empty_args_are_not_absent_args(args: object) -> None:
    received = decode.message("start", {"source": "", "args": args})
    assert isinstance(received, Start)
    assert received.args == args
    assert received.args is not MISSING


def test_members_that_are_left_out_have_the_documented_defaults() -> None:
    assert decode.message("initialize", {"protocolVersion": "1.0"}) == Initialize("1.0")
    assert decode.message("start", {"source": "x"}) == Start("x")
