"""What may happen to a call of the `codex` program."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.errors import AgentError, AgentsUnavailable, WrongAnswer

from ..servers import openai
from ..servers.loopback import Answer, Server
from ..servers.said import Said
from .situation import LATER, NAMED, WORDS, Situation

USAGE = AgentUsage(input=60, output=5, cache_read=40)


def _refused(*error: Any) -> Callable[[Server], Any]:
    """All questions are answered by this error of OpenAI's API."""
    return lambda server: server.always(lambda _request: openai.error(*error))


def _uses(name: str, arguments: dict[str, Any]) -> Answer:
    """The model uses a tool."""
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
    used = {**item, "name": name, "arguments": json.dumps(arguments)}
    response = {"id": "resp_0", "status": "completed", "output": [used], "usage": openai.USAGE}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "resp_0"}},
        {"type": "response.output_item.done", "output_index": 0, "item": used},
        {"type": "response.completed", "response": response},
    ]
    return Answer(200, {"content-type": "text/event-stream"}, tuple(map(openai.event, events)))


SITUATIONS = (
    Situation("plain"),
    Situation("schema", options={"schema": NAMED}, value={"name": ""}),
    Situation("schema-of-array", options={"schema": WORDS}, value=[""]),
    Situation(
        "schema-with-optional",
        lambda server: server.then(openai.says('{"name": "x", "age": null}')),
        options={"schema": {**NAMED, "properties": {**NAMED["properties"], "age": {"type": "integer"}}}},
        value={"name": "x"},
    ),
    Situation(
        "schema-in-prompt",
        lambda server: server.then(openai.says('Here it is:\n```json\n{"a": 1}\n```')),
        options={"schema": {"type": "object"}},
        value={"a": 1},
    ),
    Situation(
        "schema-refused-by-the-api",
        lambda server: server.then(
            openai.error(400, "invalid_json_schema", "Invalid schema for response_format 'x'"),
            openai.says('{"name": "x"}'),
        ),
        options={"schema": NAMED},
        value={"name": "x"},
    ),
    Situation(
        "schema-not-kept-to",
        lambda server: server.then(openai.says("Sure!")),
        options={"schema": NAMED},
        error=WrongAnswer,
        words=["it is not JSON"],
    ),
    Situation("tool", lambda server: server.then(_uses("exec_command", {"cmd": "echo here"})), times=2),
    Situation("slash", prompt="/status"),
    Situation("continued", continues=True),
    Situation(
        "of-a-type",
        options={"model": "gpt-5-mini", "effort": "low"},
        call={"instructions": 'You are\n"terse" \x7f 🐋'},
    ),
    Situation(
        "refusal",
        lambda server: server.then(openai.says(Said("", refusal="I can't help with that."))),
        error=AgentError,
        words=["ended without an answer"],
    ),
    Situation(
        "cut-short",
        lambda server: server.always(openai.says(Said("It is", stop="max_output_tokens"))),
        error=AgentError,
        words=["max_output_tokens"],
    ),
    Situation(
        "filtered",
        lambda server: server.always(openai.says(Said("It is", stop="content_filter"))),
        times=0,
        error=AgentError,
        words=["refused to answer", "content_filter"],
    ),
    Situation(
        "no-key",
        environment={"LOOPBACK_API_KEY": None},
        times=0,
        error=AgentsUnavailable,
        words=["LOOPBACK_API_KEY", "resume the run"],
    ),
    Situation(
        "wrong-key",
        _refused(401, "invalid_api_key", "Incorrect API key provided: sk-proj-0123456789abcdefghij."),
        times=0,
        error=AgentsUnavailable,
        words=["401 Unauthorized", "[redacted]"],
    ),
    Situation(
        "no-quota",
        _refused(429, "insufficient_quota", "You exceeded your current quota"),
        times=0,
        error=AgentsUnavailable,
        words=["Quota exceeded"],
    ),
    Situation(
        "no-such-model",
        _refused(400, "model_not_found", "The requested model 'no-such-model' does not exist."),
        options={"model": "no-such-model"},
        times=0,
        error=AgentError,
        words=["'no-such-model'", "--agent codex:MODEL"],
    ),
    Situation(
        "overloaded",
        _refused(503, "server_error", "Overloaded"),
        times=0,
        error=AgentError,
        words=["503", LATER],
    ),
    Situation(
        "rate-limited",
        _refused(429, "rate_limit_exceeded", "Too many requests", {"retry-after": "1"}),
        times=0,
        error=AgentError,
        words=["429", LATER],
    ),
    Situation(
        "cut-connection",
        lambda server: server.always(lambda request: openai.usual(request).cut(3)),
        times=0,
        error=AgentError,
        words=["disconnected", LATER],
    ),
    Situation("blank", prompt=" ", times=0, error=AgentError, words=["No prompt provided"]),
    Situation(
        "no-such-session",
        call={"session": "11111111-1111-4111-8111-111111111111"},
        times=0,
        error=AgentError,
        words=["no rollout found"],
    ),
    Situation(
        "unknown-option",
        own={"args": ["--no-such-option"]},
        times=0,
        error=AgentsUnavailable,
        words=["'--no-such-option'", "npm install -g @openai/codex"],
    ),
)
