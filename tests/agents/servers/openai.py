"""A loopback server that speaks OpenAI's Responses and Chat Completions, with and without streaming."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Mapping
from typing import Any

from .loopback import Answer, Request, Server, json_answer
from .said import Said, instance_of

USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 105,
}
CHAT_USAGE = {
    "prompt_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens": 5,
    "total_tokens": 105,
}


def server(*, tls: ssl.SSLContext | None = None) -> Server:
    """A server that answers text with text, and what asks for a structure with an instance of its schema."""
    return Server(usual, is_scripted=lambda request: _is_responses(request) or _is_chat(request), tls=tls)


def usual(request: Request) -> Answer:
    """The answer of a model that does as it is told."""
    if request.method != "POST":
        return json_answer({"object": "list", "data": []})
    if not (_is_responses(request) or _is_chat(request)):
        return error(404, None, f"no such path: {request.path}")
    return answer(_obedient(request.body), request)


def says(said: Said | str) -> Any:
    """A step that answers with this, in the way in which it is asked for."""
    return lambda request: answer(Said(said) if isinstance(said, str) else said, request)


def answer(said: Said, request: Request) -> Answer:
    """The answer that says this, in the API that was asked, as a stream where the request asks for one."""
    body = request.body
    if _is_chat(request):
        return _chat_stream(said, body) if body.get("stream") else json_answer(_completion(said, body))
    response = _response(said, body)
    return _stream(response) if body.get("stream") else json_answer(response)


def error(
    status: int,
    code: str | None,
    message: str,
    headers: Mapping[str, str] | None = None,
    kind: str = "invalid_request_error",
) -> Answer:
    """An answer that is an error, such as ``error(429, "insufficient_quota", "…")``."""
    told = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return json_answer(told, status, headers)


def failed_event(code: str, message: str, usage: Mapping[str, Any] | None = None) -> bytes:
    """The end of a stream of Responses that failed."""
    failed = {"id": "resp_1", "status": "failed", "error": {"code": code, "message": message}, "usage": usage}
    return event({"type": "response.failed", "response": failed})


def event(value: dict[str, Any]) -> bytes:
    """One event of a stream of Responses."""
    return f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode()


def _is_responses(request: Request) -> bool:
    return request.method == "POST" and request.path.partition("?")[0].endswith("/responses")


def _is_chat(request: Request) -> bool:
    return request.method == "POST" and request.path.partition("?")[0].endswith("/chat/completions")


def _obedient(body: dict[str, Any]) -> Said:
    form = (body.get("text") or {}).get("format") or body.get("response_format") or {}
    schema = form.get("schema") or (form.get("json_schema") or {}).get("schema")
    return Said() if schema is None else Said(json.dumps(instance_of(schema)))


def _response(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "output_text", "text": said.text, "annotations": []}
    if said.refusal is not None:
        part = {"type": "refusal", "refusal": said.refusal}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    if said.tool is not None:
        item = _function_call(*said.tool)
    return {
        "id": said.id,
        "object": "response",
        "status": "incomplete" if said.stop else "completed",
        "incomplete_details": {"reason": said.stop} if said.stop else None,
        "model": said.model or body.get("model"),
        "output": [{"type": "reasoning", "id": "rs_1", "summary": []}, item],
        "usage": said.usage or USAGE,
        "error": None,
    }


def _function_call(name: str, given: Any) -> dict[str, Any]:
    """A call of a tool; that of a namespace is NAMESPACE.NAME."""
    space, _, name = name.rpartition(".")
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
    told = {"name": name, "arguments": json.dumps(given)}
    return call | told | ({"namespace": space} if space else {})


def _stream(response: dict[str, Any]) -> Answer:
    item = response["output"][-1]
    begun = response | {"status": "in_progress", "output": [], "usage": None}
    is_call = item["type"] == "function_call"
    nothing: dict[str, Any] = {"arguments": ""} if is_call else {"content": []}
    empty = item | {"status": "in_progress"} | nothing
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 1, "item": empty},
        *([] if is_call else _deltas(item["content"][0])),
        {"type": "response.output_item.done", "output_index": 1, "item": item},
        {"type": f"response.{response['status']}", "response": response},
    ]
    return Answer(200, {"content-type": "text/event-stream"}, tuple(map(event, events)))


def _deltas(part: dict[str, Any]) -> list[dict[str, Any]]:
    kind = "refusal" if part["type"] == "refusal" else "output_text"
    text = part.get("text", part.get("refusal", ""))
    half = len(text) // 2
    where = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    return [{"type": f"response.{kind}.delta", **where, "delta": each} for each in (text[:half], text[half:])]


def _completion(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": None if said.refusal else said.text, "refusal": said.refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": said.model or body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": said.stop or "stop"}],
        "usage": said.usage or CHAT_USAGE,
    }


def _chat_stream(said: Said, body: dict[str, Any]) -> Answer:
    whole = _completion(said, body)
    name, text = ("refusal", said.refusal) if said.refusal else ("content", said.text)
    half = len(text) // 2
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {name: text[:half]},
        {name: text[half:]},
    ]
    chunks = [_chunk(whole, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_chunk(whole, [{"index": 0, "delta": {}, "finish_reason": said.stop or "stop"}]))
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append(_chunk(whole, []) | {"usage": whole["usage"]})
    pieces = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
    return Answer(200, {"content-type": "text/event-stream"}, (*pieces, b"data: [DONE]\n\n"))


def _chunk(whole: dict[str, Any], choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": whole["id"], "object": "chat.completion.chunk", "model": whole["model"], "choices": choices}


if __name__ == "__main__":
    from .said import serve

    serve(server(), sys.argv[1:])
