"""JSON-RPC 2.0 around the messages, as strict as the specification and a little stricter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcage.protocol import envelope
from flowcage.protocol.envelope import Failure, Incoming, Refused, Result
from flowcage.protocol.errors import CODES, ErrorReply, RemoteProtocolError

from .strategies import json_values, texts

IDS = texts() | st.integers(-(10**300), 10**300)


def line(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def refusal(data: bytes) -> tuple[str | int | None, str, int]:
    refused = envelope.parse_request(data)
    assert isinstance(refused, Refused)
    return refused.id, refused.error.kind, refused.error.code


# ---- requests --------------------------------------------------------------------------------


@given(IDS, texts(), st.dictionaries(texts(), json_values(2), max_size=2))
def test_a_request_reads_back_as_it_was_written(identifier: str | int, method: str, params: Any) -> None:
    written = envelope.request(identifier, method, params)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    assert envelope.parse_request(written[:-1]) == Incoming(identifier, method, params)


def test_a_request_without_id_is_a_notification() -> None:
    assert envelope.parse_request(line(method="poll")) == Incoming(None, "poll", {})


def test_params_that_are_left_out_are_an_empty_object_and_null_is_kept_to_be_refused() -> None:
    assert envelope.parse_request(line(id=1, method="poll")) == Incoming(1, "poll", {})
    assert envelope.parse_request(line(id=1, method="poll", params=None)) == Incoming(1, "poll", None)


def test_members_that_json_rpc_does_not_know_are_ignored() -> None:
    assert envelope.parse_request(line(id=1, method="poll", trace="x")) == Incoming(1, "poll", {})


@pytest.mark.parametrize("identifier", [None, True, False, 1.0, 1.5, [], [1], {}, {"id": 1}])
def test_an_id_that_is_neither_text_nor_integer_is_refused_under_null(identifier: object) -> None:
    assert refusal(line(id=identifier, method="poll")) == (None, "invalid_request", -32600)


@pytest.mark.parametrize("version", ["1.0", "2", 2, 2.0, None, True, ["2.0"]])
def test_another_jsonrpc_version_is_refused_under_the_id_it_has(version: object) -> None:
    assert refusal(line(jsonrpc=version, id="a", method="poll")) == ("a", "invalid_request", -32600)


def test_a_missing_jsonrpc_version_is_refused() -> None:
    assert refusal(b'{"id": 7, "method": "poll"}') == (7, "invalid_request", -32600)


@pytest.mark.parametrize("method", [None, 1, True, ["poll"], {}])
def test_a_method_that_is_no_text_is_refused(method: object) -> None:
    assert refusal(line(id=7, method=method)) == (7, "invalid_request", -32600)


def test_a_missing_method_is_refused() -> None:
    assert refusal(line(id=7)) == (7, "invalid_request", -32600)


@pytest.mark.parametrize("batch", [b"[]", b"[" + line(id=1, method="poll") + b"]"])
def test_a_batch_is_refused_as_a_whole(batch: bytes) -> None:
    assert refusal(batch) == (None, "invalid_request", -32600)


@pytest.mark.parametrize("scalar", [b"null", b"true", b"1", b"1.5", b'"poll"'])
def test_a_scalar_is_no_request(scalar: bytes) -> None:
    assert refusal(scalar) == (None, "invalid_request", -32600)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"id":1e999}', b"NaN", b"{}{}"])
def test_what_is_not_json_is_a_parse_error_under_null(text: bytes) -> None:
    assert refusal(text) == (None, "parse_error", -32700)


@pytest.mark.parametrize("text", [b"[" * 600 + b"]" * 600, b"[" + b"0," * 1_000_000 + b"0]"])
def test_too_much_structure_is_too_large_a_message_under_null(text: bytes) -> None:
    assert refusal(b'{"id":1,"x":' + text + b"}") == (None, "message_too_large", -32022)


@given(st.binary(max_size=40))
def test_no_line_makes_the_reader_of_requests_raise(data: bytes) -> None:
    assert isinstance(envelope.parse_request(data), Incoming | Refused)


@given(json_values())
def test_no_json_makes_the_reader_of_requests_raise(value: Any) -> None:
    assert isinstance(envelope.parse_request(json.dumps(value).encode()), Incoming | Refused)


# ---- replies ---------------------------------------------------------------------------------


@given(IDS, json_values())
def test_a_result_reads_back_as_it_was_written(identifier: str | int, value: Any) -> None:
    written = envelope.result(identifier, json.dumps(value))
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    assert envelope.parse_reply(written[:-1]) == Result(identifier, value)


@given(st.none() | IDS, st.sampled_from(sorted(CODES)), texts())
def test_an_error_reads_back_as_it_was_written(identifier: str | int | None, kind: str, message: str) -> None:
    written = envelope.error(identifier, ErrorReply(kind, message, {"path": message}))
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    data = {"kind": kind, "path": message}
    assert envelope.parse_reply(written[:-1]) == Failure(identifier, CODES[kind], message, data)


ERROR = {"code": -32000, "message": "x", "data": {"kind": "exception"}}
BAD_REPLIES = {
    "not JSON": b"{",
    "a traceback": b"Traceback (most recent call last):",
    "a result that JSON does not have": b'{"jsonrpc":"2.0","id":1,"result":NaN}',
    "too deep a result": b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 600 + b"]" * 600 + b"}",
    "a scalar": b"1",
    "a batch": b"[" + line(id=1, result={}) + b"]",
    "another version": b'{"jsonrpc":"1.0","id":1,"result":{}}',
    "no version": b'{"id":1,"result":{}}',
    "neither result nor error": line(id=1),
    "a request": line(id=1, method="poll", params={}),
    "result and error": line(id=1, result={}, error=ERROR),
    "a result without id": line(result={}),
    "a result under null": line(id=None, result={}),
    "a result under true": line(id=True, result={}),
    "a result under a fraction": line(id=1.0, result={}),
    "a result under a list": line(id=[1], result={}),
    "an error under true": line(id=True, error=ERROR),
    "an error under an object": line(id={}, error=ERROR),
    "an error that is text": line(id=1, error="x"),
    "an error without code": line(id=1, error={"message": "x", "data": {"kind": "exception"}}),
    "an error code that is true": line(id=1, error={**ERROR, "code": True}),
    "an error code with a fraction": line(id=1, error={**ERROR, "code": -32000.0}),
    "an error without message": line(id=1, error={"code": 1, "data": {"kind": "exception"}}),
    "an error without data": line(id=1, error={"code": 1, "message": "x"}),
    "an error without kind": line(id=1, error={**ERROR, "data": {}}),
    "an error kind that is no text": line(id=1, error={**ERROR, "data": {"kind": 1}}),
}


@pytest.mark.parametrize("text", BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
def test_a_line_that_is_no_reply_is_the_fault_of_the_peer(text: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        envelope.parse_reply(text)


@given(st.binary(max_size=40) | json_values().map(lambda value: json.dumps(value).encode()))
def test_nothing_but_a_remote_protocol_error_comes_out_of_a_bad_reply(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        envelope.parse_reply(data)


# ---- error kinds -----------------------------------------------------------------------------


def test_every_error_kind_has_a_code_of_its_own_in_its_range() -> None:
    assert len(set(CODES.values())) == len(CODES)
    json_rpc = {"parse_error", "invalid_request", "method_not_found", "invalid_params", "internal"}
    assert {kind for kind, code in CODES.items() if not -32099 <= code <= -32000} == json_rpc
