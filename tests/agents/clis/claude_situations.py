"""What may happen to a call of the `claude` program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.errors import AgentError, AgentsUnavailable, WrongAnswer

from ..servers import anthropic
from ..servers.loopback import Server
from ..servers.said import Said
from .situation import LATER, NAMED, WORDS, Situation

USAGE = AgentUsage(input=120, output=7, cache_read=30, cache_write=10)
DATED = {"type": "object", "required": ["day"], "properties": {"day": {"type": "string", "format": "date"}}}
# By name the program's validator finds no schema.
ANCHORED = {
    "type": "object",
    "properties": {"a": {"$anchor": "here", "type": "string"}, "b": {"$ref": "#here"}},
}
# Two groups of one name are an error in JavaScript.
TWICE = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?<x>a)(?<x>b)"}}}


def _fails(*error: Any) -> Callable[[Server], Any]:
    """All questions are answered by this error of Anthropic's API."""
    return lambda server: server.always(lambda _request: anthropic.error(*error))


def _says(*said: Said) -> Callable[[Server], Any]:
    return lambda server: server.then(*map(anthropic.says, said))


_LOOKS = Said("I will look.", ("Bash", {"command": "echo here", "description": "Say it"}))
_TOUCHES = Said("", ("Bash", {"command": "touch made", "description": "Make a file"}))
_NO_CREDIT = "Your credit balance is too low to access the Anthropic API."

SITUATIONS = (
    Situation("plain"),
    Situation("schema", options={"schema": NAMED}, value={"name": ""}),
    Situation("schema-with-format", options={"schema": DATED}, value={"day": ""}),
    Situation("schema-of-array", options={"schema": WORDS}, value=[""]),
    Situation("schema-in-prompt", options={"schema": ANCHORED}, error=WrongAnswer, words=["it is not JSON"]),
    Situation(
        "schema-dropped",
        _says(Said('Here it is:\n```json\n{"a": "ab"}\n```')),
        options={"schema": TWICE},
        value={"a": "ab"},
    ),
    Situation(
        "schema-refused-by-the-api",
        lambda server: server.then(
            anthropic.error(400, "invalid_request_error", "tools.3.input_schema: JSON schema is invalid"),
            anthropic.says(Said('{"name": "x"}')),
        ),
        options={"schema": NAMED},
        value={"name": "x"},
    ),
    Situation(
        "schema-not-kept-to",
        _says(Said("", ("StructuredOutput", {"wrong": 1})), Said("Sure!"), Said("Sure!")),
        options={"schema": NAMED},
        times=3,
        error=WrongAnswer,
        words=["it is not JSON"],
    ),
    Situation("tool", _says(_LOOKS), times=2),
    Situation("tool-denied", _says(_TOUCHES), own={"disallowed_tools": ["Bash(touch *)"]}, times=2),
    Situation("slash", prompt="/cost"),
    Situation("file-mentioned", prompt="What is in @/etc/hosts?"),
    Situation("continued", continues=True),
    Situation(
        "of-a-type",
        options={"model": "claude-haiku-4-5", "effort": "low"},
        call={"instructions": "You are\n--terse", "tools": ("Bash", "Read"), "cost_left": 0.5},
    ),
    Situation(
        "refusal", _says(Said("I can't", stop="refusal")), error=AgentError, words=["refused to answer"]
    ),
    Situation(
        "cut-short",
        lambda server: server.always(anthropic.says(Said("It is", stop="max_tokens"))),
        times=4,
        error=AgentError,
        words=["output token maximum"],
    ),
    Situation(
        "silent",
        lambda server: server.always(anthropic.says(Said(""))),
        times=2,
        error=AgentError,
        words=["ended without an answer"],
    ),
    Situation(
        "too-many-turns",
        lambda server: server.always(anthropic.says(_LOOKS)),
        own={"max_turns": 2},
        times=2,
        error=AgentError,
        words=["as many turns as its settings allow"],
    ),
    Situation(
        "too-expensive",
        lambda server: server.always(anthropic.says(_LOOKS)),
        call={"cost_left": 0.001},
        times=2,
        error=AgentError,
        words=["within the costs"],
    ),
    Situation(
        "not-logged-in",
        environment={"ANTHROPIC_API_KEY": None},
        times=0,
        error=AgentsUnavailable,
        words=["/login", "resume the run"],
    ),
    Situation(
        "wrong-key",
        _fails(401, "authentication_error", "invalid x-api-key"),
        times=0,
        error=AgentsUnavailable,
        words=["Invalid API key"],
    ),
    Situation(
        "forbidden",
        _fails(403, "permission_error", "Your organization has disabled this"),
        times=0,
        error=AgentsUnavailable,
        words=["403"],
    ),
    Situation(
        "no-credit",
        _fails(400, "invalid_request_error", _NO_CREDIT),
        times=0,
        error=AgentsUnavailable,
        words=["Credit balance is too low"],
    ),
    Situation(
        "no-such-model",
        _fails(404, "not_found_error", "model: no-such-model"),
        options={"model": "no-such-model"},
        times=0,
        error=AgentError,
        words=["(no-such-model)", "--agent claude:MODEL"],
    ),
    Situation(
        "overloaded",
        _fails(529, "overloaded_error", "Overloaded"),
        times=0,
        error=AgentError,
        words=["529 Overloaded", LATER],
    ),
    Situation(
        "rate-limited",
        _fails(429, "rate_limit_error", "Too many requests", {"retry-after": "1"}),
        times=0,
        error=AgentError,
        words=["(429)", LATER],
    ),
    Situation(
        "prompt-too-long",
        _fails(400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
        times=0,
        error=AgentError,
        words=["Prompt is too long"],
    ),
    Situation(
        "no-such-session",
        call={"session": "11111111-1111-4111-8111-111111111111"},
        times=0,
        error=AgentError,
        words=["No conversation found"],
    ),
    Situation(
        "unknown-option",
        own={"args": ["--no-such-option"]},
        times=0,
        error=AgentsUnavailable,
        words=["'--no-such-option'", "npm install -g @anthropic-ai/claude-code"],
    ),
)
