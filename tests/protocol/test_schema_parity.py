"""The published schemas and our own decoder allow the same messages, and blame the same place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcage.protocol import decode, envelope, strictjson
from flowcage.protocol.envelope import Failure
from flowcage.protocol.errors import ErrorReply, RemoteProtocolError
from flowcage.protocol.messages import METHODS
from flowcage.schemas import validate
from flowcage.schemas.loader import document
from flowcage.schemas.validate import Violation

from .strategies import ERRORS, PARAMS, RESULTS, mutated

DECODERS: dict[str, Callable[[Any], Any]] = {
    "initialize": decode.initialized,
    "start": decode.started,
    "check": decode.checked,
    "imports": decode.imports,
    "sites": decode.sites,
    **{method: partial(decode.drained, method=method) for method in decode.DRAINS},
}
DRAIN = document("common")["$defs"]["drained"]
LEAST_DRAIN = {"calls": [], "requests": [], "state": "pending"}


def refused_by_decode(decoder: Callable[..., Any], *arguments: Any) -> tuple[str, str] | None:
    try:
        decoder(*arguments)
    except ErrorReply as refusal:
        return refusal.data["path"], refusal.data["schema"]
    return None


def place(violation: Violation | None) -> tuple[str, str] | None:
    return violation and (violation.path, violation.schema)


def test_there_is_a_strategy_for_the_params_of_every_method() -> None:
    assert PARAMS.keys() == METHODS.keys()


@pytest.mark.parametrize("name", sorted(DRAIN["properties"].keys() - LEAST_DRAIN.keys()))
def test_the_decoder_reads_each_member_that_a_drain_may_have(name: str) -> None:
    example = DRAIN["properties"][name]["examples"][0]  # not the default
    assert decode.drained({**LEAST_DRAIN, name: example}) != decode.drained(LEAST_DRAIN)


@pytest.mark.parametrize("method", PARAMS)
@given(data=st.data())
def test_params_that_fit_are_taken_by_both(method: str, data: st.DataObject) -> None:
    params = data.draw(PARAMS[method])
    assert refused_by_decode(decode.message, method, params) is None
    assert validate.params_error(method, params) is None


@pytest.mark.parametrize("method", PARAMS)
@given(data=st.data())
def test_params_that_were_damaged_get_the_same_verdict_from_both(method: str, data: st.DataObject) -> None:
    params = data.draw(mutated(PARAMS[method]))
    expected = refused_by_decode(decode.message, method, params)
    assert place(validate.params_error(method, params)) == expected


@pytest.mark.parametrize("method", RESULTS)
@given(data=st.data())
def test_results_that_fit_are_taken_by_both(method: str, data: st.DataObject) -> None:
    result = data.draw(RESULTS[method])
    assert refused_by_decode(DECODERS[method], result) is None
    assert validate.result_error(method, result) is None


@pytest.mark.parametrize("method", RESULTS)
@given(data=st.data())
def test_results_that_were_damaged_get_the_same_verdict_from_both(method: str, data: st.DataObject) -> None:
    result = data.draw(mutated(RESULTS[method]))
    expected = refused_by_decode(DECODERS[method], result)
    assert place(validate.result_error(method, result)) == expected


def read_by_envelope(error: Any) -> bool:
    try:
        reply = envelope.parse_reply(strictjson.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode())
    except RemoteProtocolError:
        return False
    return isinstance(reply, Failure)


@given(ERRORS)
def test_errors_that_fit_are_taken_by_both(error: Any) -> None:
    assert validate.error_error(error) is None
    assert read_by_envelope(error)


@given(mutated(ERRORS))
def test_errors_that_the_envelope_cannot_read_do_not_fit_the_schema(error: Any) -> None:
    # The schema asks for more than the envelope does: for the code and the members of the kind.
    assert validate.error_error(error) is not None or read_by_envelope(error)
