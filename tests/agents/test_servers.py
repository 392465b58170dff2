"""The loopback servers do what is told them, as a client without any library sees it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .servers import anthropic, ollama, openai
from .servers.loopback import Answer, Server

BODY = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
SCHEMA = {"type": "object", "properties": {"a": {"const": 5}}, "required": ["a"]}


@contextmanager
def posted(server: Server, path: str, body: Any) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        yield connection.getresponse()
    finally:
        connection.close()


def events(content: bytes) -> list[Any]:
    lines = content.decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: [DONE]"]


@pytest.mark.parametrize(
    ("make", "path", "asked"),
    [
        (anthropic.server, "/v1/messages?beta=true", {"output_config": {"format": {"schema": SCHEMA}}}),
        (openai.server, "/v1/responses", {"text": {"format": {"schema": SCHEMA}}}),
        (openai.server, "/v1/chat/completions", {"response_format": {"json_schema": {"schema": SCHEMA}}}),
        (ollama.server, "/api/chat", {"format": SCHEMA}),
    ],
)
def test_a_schema_is_answered_with_an_instance(make: Callable[[], Server], path: str, asked: Any) -> None:
    with make() as server, posted(server, path, BODY | asked | {"stream": False}) as response:
        assert response.status == 200
        assert '{\\"a\\": 5}' in response.read().decode()


def test_a_forced_tool_is_used_and_streams_its_input() -> None:
    tool = {"name": "answer", "input_schema": SCHEMA}
    forced = {"tools": [tool], "tool_choice": {"type": "tool", "name": "answer"}, "stream": True}
    with anthropic.server() as server, posted(server, "/v1/messages", BODY | forced) as response:
        told = events(response.read())
    pieces = [each["delta"]["partial_json"] for each in told if each["type"] == "content_block_delta"]
    assert json.loads("".join(pieces)) == {"a": 5}
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


def test_steps_are_taken_one_by_one_and_then_the_usual() -> None:
    error = anthropic.error(529, "overloaded_error", "Overloaded", {"retry-after": "0"})
    with anthropic.server().then(error, anthropic.says("second")) as server:
        statuses, texts = [], []
        for _ in range(3):
            with posted(server, "/v1/messages", BODY) as response:
                statuses.append(response.status)
                texts.append(json.loads(response.read()).get("content", [{}])[0].get("text"))
        with posted(server, "/v1/messages/count_tokens", BODY) as response:
            assert json.loads(response.read()) == {"input_tokens": 10}
    assert (statuses, texts) == ([529, 200, 200], [None, "second", "The answer is 42."])
    assert [request.body for request in server.requests] == [BODY] * 4


@pytest.mark.parametrize("hard", [False, True])
def test_a_cut_is_seen_as_one(hard: bool) -> None:
    def cut(request: Any) -> Answer:
        return anthropic.usual(request).cut(2, hard=hard)

    streamed = BODY | {"stream": True}
    with (
        anthropic.server().then(cut) as server,
        posted(server, "/v1/messages", streamed) as response,
        pytest.raises((http.client.IncompleteRead, ConnectionResetError)),
    ):
        response.read()


def test_a_server_that_hangs_sees_the_client_leave() -> None:
    with ollama.server().then(Answer().hang(0)) as server:
        port = int(server.url.rpartition(":")[2])
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"POST /api/chat HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
        server.wait_for_requests(1)
        assert server.open_connections == 1
        client.close()
        server.wait_until_idle()


def test_a_gate_holds_what_follows() -> None:
    event = threading.Event()
    with (
        openai.server().then(lambda request: openai.usual(request).gate(1, event)) as server,
        posted(server, "/v1/responses", BODY | {"stream": True}) as response,
    ):
        assert b"response.created" in response.readline()
        event.set()
        assert events(response.read())[-1]["type"] == "response.completed"
