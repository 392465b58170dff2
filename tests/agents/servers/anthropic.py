"""A loopback server that speaks Anthropic's Messages API, with and without streaming."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Mapping
from typing import Any

from .loopback import Answer, Request, Server, json_answer
from .said import Said, instance_of

USAGE = {
    "input_tokens": 120,
    "output_tokens": 7,
    "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 10,
}


def server(*, tls: ssl.SSLContext | None = None) -> Server:
    """A server that answers text with text, and what asks for a structure with an instance of its schema."""
    return Server(usual, is_scripted=_is_question, tls=tls)


def usual(request: Request) -> Answer:
    """The answer of a model that does as it is told."""
    if request.method != "POST":
        return json_answer({})
    if "count_tokens" in request.path:
        return json_answer({"input_tokens": 10})
    if not _is_question(request):
        return error(404, "not_found_error", f"no such path: {request.path}")
    return answer(_obedient(request.body), request)


def says(said: Said | str) -> Any:
    """A step that answers with this, in the way in which it is asked for."""
    return lambda request: answer(Said(said) if isinstance(said, str) else said, request)


def answer(said: Said, request: Request) -> Answer:
    """The answer that says this: a stream of events where the request asks for one."""
    body = request.body
    message = _message(said, body)
    return _stream(message) if body.get("stream") else json_answer(message)


def error(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that is an error, such as ``error(529, "overloaded_error", "Overloaded")``."""
    told = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return json_answer(told, status, headers)


def error_event(kind: str, message: str) -> bytes:
    """An error in the middle of a stream."""
    return _event({"type": "error", "error": {"type": kind, "message": message}})


def _is_question(request: Request) -> bool:
    path = request.path.partition("?")[0]
    return request.method == "POST" and path.rstrip("/").endswith("/messages")


def _obedient(body: dict[str, Any]) -> Said:
    config = body.get("output_config") or {}
    schema = (config.get("format") or body.get("output_format") or {}).get("schema")
    if schema is not None:
        return Said(json.dumps(instance_of(schema)))
    tool = _tool(body)
    return Said() if tool is None else Said("", (tool["name"], instance_of(tool["input_schema"])))


def _tool(body: dict[str, Any]) -> Any:
    """The tool to use: the one that is forced, or Claude Code's for structures until it was used."""
    choice = body.get("tool_choice") or {}
    name = choice.get("name") if choice.get("type") == "tool" else "StructuredOutput"
    if choice.get("type") != "tool" and '"tool_result"' in json.dumps(body.get("messages", [])[-1:]):
        return None
    return next((each for each in body.get("tools") or [] if each.get("name") == name), None)


def _message(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    content: list[dict[str, Any]] = [] if not said.text else [{"type": "text", "text": said.text}]
    if said.tool is not None:
        name, value = said.tool
        content.append({"type": "tool_use", "id": "toolu_1", "name": name, "input": value})
    stop = said.stop or ("end_turn" if said.tool is None else "tool_use")
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": said.model or body.get("model"),
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": said.usage or USAGE,
    }


def _stream(message: dict[str, Any]) -> Answer:
    usage = message["usage"]
    begun = message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        events += _block_events(index, block)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events.append(
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage["output_tokens"]}}
    )
    events.append({"type": "message_stop"})
    return Answer(200, {"content-type": "text/event-stream"}, tuple(map(_event, events)))


def _block_events(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    if block["type"] == "text":
        empty, text, kind, name = {**block, "text": ""}, block["text"], "text_delta", "text"
    else:
        empty, text = {**block, "input": {}}, json.dumps(block["input"])
        kind, name = "input_json_delta", "partial_json"
    half = len(text) // 2
    deltas = [{"type": kind, name: part} for part in (text[:half], text[half:])]
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _event(value: dict[str, Any]) -> bytes:
    return f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode()


if __name__ == "__main__":
    from .said import serve

    serve(server(), sys.argv[1:])
