"""A loopback server that speaks Ollama's chat API, with and without streaming."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from .loopback import Answer, Request, Server, json_answer
from .said import Said, instance_of

USAGE = {"prompt_eval_count": 50, "eval_count": 9}


def server() -> Server:
    """A server that answers text with text, and what asks for a structure with an instance of its schema."""
    return Server(usual, is_scripted=_is_chat)


def usual(request: Request) -> Answer:
    """The answer of a model that does as it is told."""
    if request.method != "POST":
        return json_answer({"version": "0.12.0", "models": []})
    if not _is_chat(request):
        return error(404, f"no such path: {request.path}")
    schema = request.body.get("format")
    return answer(Said() if schema is None else Said(json.dumps(instance_of(schema))), request)


def says(said: Said | str) -> Any:
    """A step that answers with this, in the way in which it is asked for."""
    return lambda request: answer(Said(said) if isinstance(said, str) else said, request)


def answer(said: Said, request: Request) -> Answer:
    """The answer that says this: lines of JSON unless the request says ``"stream": false``."""
    body = request.body
    if body.get("stream", True):
        half = len(said.text) // 2
        lines = [_line(said, body, said.text[:half]), _line(said, body, said.text[half:]), _last(said, body)]
        pieces = tuple(json.dumps(line).encode() + b"\n" for line in lines)
        return Answer(200, {"content-type": "application/x-ndjson"}, pieces)
    return json_answer(_last(said, body) | {"message": {"role": "assistant", "content": said.text}})


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that is an error."""
    return json_answer({"error": message}, status, headers)


def _is_chat(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/api/chat")


def _line(said: Said, body: dict[str, Any], text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"model": said.model or body.get("model"), "message": message, "done": False}


def _last(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    end = {"done": True, "done_reason": said.stop or "stop", **(said.usage or USAGE)}
    return _line(said, body, "") | end


if __name__ == "__main__":
    from .said import serve

    serve(server(), sys.argv[1:])
