"""What the agents of providers send, and what they make of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from flowcage.agents import AgentCall, AgentError, AgentUsage, OptionNotHonoured, WrongAnswer

from .http_agents import ANTHROPIC, CHAT, KEY, OLLAMA, PROVIDERS, RESPONSES, SCHEMA, Provider, ask, call
from .servers import anthropic
from .servers.loopback import Request, json_answer
from .servers.said import Said

pytestmark = pytest.mark.usefixtures("keys")
each = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
USAGE = {
    "anthropic": AgentUsage(120, 7, 30, 10),
    "responses": AgentUsage(60, 5, 40),
    "chat": AgentUsage(60, 5, 40),
    "ollama": AgentUsage(50, 9),
}
STRICT = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
# No provider is known to hold its model to this, for want of the names.
FREE = {"type": "object", "additionalProperties": {"type": "integer"}}


def sent(provider: Provider, asked: AgentCall, **own: Any) -> dict[str, Any]:
    """The body of the request for a call."""
    with provider.server() as server:
        ask(provider.agent(server, **own), asked)
    body: dict[str, Any] = server.requests[0].body
    return body


@each
def test_text_comes_with_usage_and_model(provider: Provider) -> None:
    with provider.server() as server:
        answer = ask(provider.agent(server), call())
    assert (answer.value, answer.model) == ("The answer is 42.", "m")
    assert answer.usage == USAGE[provider.name]
    assert answer.session_id == ("resp_1" if provider is RESPONSES else None)


def test_what_is_sent() -> None:
    turns = [{"role": "user", "content": "What is it?"}]
    assert sent(ANTHROPIC, call()) == {
        "model": "m",
        "max_tokens": 32_000,
        "stream": True,
        "messages": turns,
    }
    assert sent(RESPONSES, call()) == {"model": "m", "input": turns, "stream": True, "store": True}
    usage = {"include_usage": True}
    assert sent(CHAT, call()) == {"model": "m", "messages": turns, "stream": True, "stream_options": usage}
    assert sent(OLLAMA, call()) == {"model": "m", "messages": turns, "stream": True}


@each
def test_the_key_goes_into_the_header_that_the_provider_wants(provider: Provider) -> None:
    with provider.server() as server:
        ask(provider.agent(server), call())
    headers = server.requests[0].headers
    if provider is ANTHROPIC:
        assert (headers["x-api-key"], headers["anthropic-version"]) == (KEY, "2023-06-01")
    else:
        assert headers["authorization"] == f"Bearer {KEY}"
    if provider is not OLLAMA:
        assert headers["idempotency-key"] == "run/1/1"
    assert KEY not in server.requests[0].path + server.requests[0].content.decode()


def test_a_gateway_gets_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-a-gateway")
    with anthropic.server() as server:
        ask(ANTHROPIC.agent(server), call())
    assert server.requests[0].headers["authorization"] == "Bearer token-of-a-gateway"
    assert "x-api-key" not in server.requests[0].headers


@each
def test_a_schema_is_held_to_by_the_provider(provider: Provider) -> None:
    with provider.server() as server:
        answer = ask(provider.agent(server), call(schema=SCHEMA))
    body = server.requests[0].body
    assert isinstance(answer.value, dict)
    assert answer.value["a"] == 0
    assert answer.usage == USAGE[provider.name]
    holders: dict[str, Callable[[], Any]] = {
        "anthropic": lambda: body["output_config"]["format"],
        "responses": lambda: body["text"]["format"],
        "chat": lambda: {"type": "json_schema", **body["response_format"]["json_schema"]},
        "ollama": lambda: body["format"],
    }
    found = holders[provider.name]()
    if provider is OLLAMA:
        assert found == SCHEMA
        assert '"required":["a"]' in body["messages"][0]["content"]
    elif provider is ANTHROPIC:
        assert found == {"type": "json_schema", "schema": {**SCHEMA, "additionalProperties": False}}
    else:
        assert found == {"type": "json_schema", "name": "answer", "strict": True, "schema": STRICT}


@pytest.mark.parametrize("provider", [RESPONSES, CHAT], ids=lambda provider: provider.name)
def test_a_null_for_what_need_not_be_there_is_taken_out(provider: Provider) -> None:
    with provider.server().then(provider.says('{"a": 1, "b": null}')) as server:
        assert ask(provider.agent(server), call(schema=SCHEMA)).value == {"a": 1}


@each
def test_a_root_that_is_no_object_is_put_into_one(provider: Provider) -> None:
    schema = {"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 1}
    said = '["x"]' if provider is OLLAMA else '{"answer": ["x"]}'
    with provider.server().then(provider.says(said)) as server:
        assert ask(provider.agent(server), call(schema=schema)).value == ["x"]


def test_a_schema_outside_of_the_subset_forces_a_tool_or_is_said_in_the_prompt() -> None:
    body = sent(ANTHROPIC, call(schema=FREE))
    assert body["tools"][0]["input_schema"] == FREE
    assert body["tool_choice"] == {"type": "tool", "name": "answer"}
    assert "output_config" not in body
    with CHAT.server().then(CHAT.says('Here it is:\n```json\n{"x": 1}\n```')) as server:
        assert ask(CHAT.agent(server), call(schema=FREE)).value == {"x": 1}
    body = server.requests[0].body
    assert "response_format" not in body
    assert '"additionalProperties"' in body["messages"][0]["content"]


def test_a_tool_that_is_used_answers_and_words_before_it_do_not() -> None:
    step = anthropic.says(Said("I shall.", ("answer", {"x": [1, {"y": "z"}]})))
    with anthropic.server().then(step) as server:
        assert ask(ANTHROPIC.agent(server), call(schema=FREE)).value == {"x": [1, {"y": "z"}]}


@pytest.mark.parametrize(
    ("provider", "message", "way"),
    [
        (ANTHROPIC, "output_config.format: Extra inputs are not permitted", "tools"),
        (RESPONSES, "Invalid schema for response_format 'answer'", None),
        (CHAT, "response_format is not supported by this model", None),
        (OLLAMA, "invalid JSON schema in format", None),
    ],
)
def test_a_form_that_a_provider_refuses_is_asked_for_in_another_way_and_that_is_remembered(
    provider: Provider, message: str, way: str | None
) -> None:
    step = provider.error(400, "invalid_request_error", message)
    with provider.server().then(step) as server:
        agent = provider.agent(server)
        says = provider.says('{"a": 1}')
        server.then(*[says, says] if way is None else [])
        assert isinstance(ask(agent, call(schema=SCHEMA)).value, dict)
        assert isinstance(ask(agent, call(schema=SCHEMA)).value, dict)
    bodies = [request.body for request in server.requests]
    assert len(bodies) == 3
    if way is not None:
        assert [way in body for body in bodies] == [False, True, True]
    forms = [{"output_config", "text", "response_format", "format"} & body.keys() for body in bodies]
    assert [bool(form) for form in forms] == [True, False, False]
    keys = [request.headers.get("idempotency-key") for request in server.requests]
    assert keys == ([None] * 3 if provider is OLLAMA else ["run/1/1", "run/1/1.2", "run/1/1"])


def test_the_last_way_that_is_refused_is_an_error() -> None:
    step = CHAT.error(400, None, "schema")
    sent_twice = r"status 400\): schema \(2 requests were sent\)"
    with CHAT.server().then(step, step) as server, pytest.raises(AgentError, match=sent_twice):
        ask(CHAT.agent(server), call(schema=SCHEMA))


@each
def test_what_is_no_json_is_a_wrong_answer_that_cost_something(provider: Provider) -> None:
    with provider.server().then(provider.says("no")) as server, pytest.raises(WrongAnswer) as caught:
        ask(provider.agent(server), call(schema=SCHEMA))
    assert (caught.value.text, caught.value.usage) == ("no", USAGE[provider.name])


def test_what_a_model_says_of_its_work_is_no_part_of_the_answer() -> None:
    def said(text: str, phase: str) -> dict[str, Any]:
        part = {"type": "output_text", "text": text}
        return {"type": "message", "role": "assistant", "phase": phase, "content": [part]}

    output = [said("I am looking.", "commentary"), said("It is 42.", "final_answer")]
    whole = {"object": "response", "id": "r", "status": "completed", "model": "m", "output": output}
    with RESPONSES.server().then(json_answer(whole)) as server:
        answer = ask(RESPONSES.agent(server), call())
    assert (answer.value, answer.session_id) == ("It is 42.", "r")
    assert answer.tokens > 0  # of a server that tells none


@each
def test_a_second_try_shows_the_refused_answer_and_why(provider: Provider) -> None:
    asked = replace(call(schema=SCHEMA), problem="a is missing", refused='{"b": 1}')
    body = sent(provider, asked)
    turns = body["input" if provider is RESPONSES else "messages"]
    if provider is not OLLAMA:
        assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
        assert turns[1]["content"] == '{"b": 1}'
    assert "a is missing" in turns[-1]["content"]


@each
def test_instructions_of_a_type_are_the_system_prompt(provider: Provider) -> None:
    body = sent(provider, replace(call(agentType="x"), instructions="Be \ud800brief."))
    if provider in (CHAT, OLLAMA):
        assert body["messages"][0] == {"role": "system", "content": "Be ?brief."}
    else:
        assert body["system" if provider is ANTHROPIC else "instructions"] == "Be ?brief."


@pytest.mark.parametrize(
    ("provider", "effort", "member"),
    [
        (ANTHROPIC, "max", {"output_config": {"effort": "max"}}),
        (RESPONSES, "minimal", {"reasoning": {"effort": "minimal"}}),
        (CHAT, "low", {"reasoning_effort": "low"}),
        (OLLAMA, "high", {"think": "high"}),
    ],
)
def test_effort(provider: Provider, effort: str, member: dict[str, Any]) -> None:
    body = sent(provider, call(effort=effort))
    assert {name: body[name] for name in member} == member


@each
@pytest.mark.parametrize(
    "options",
    [{"effort": "huge"}, {"effort": 5}, {"isolation": "worktree"}, {"provider": "other"}, {"colour": 1}],
)
def test_an_option_that_cannot_be_followed_sends_nothing(provider: Provider, options: Any) -> None:
    with provider.server() as server:
        with pytest.raises(OptionNotHonoured, match=next(iter(options))):
            ask(provider.agent(server), call(**options))
        assert server.requests == []


def test_the_name_of_the_provider_may_be_given() -> None:
    assert sent(ANTHROPIC, call(provider="anthropic", model="other"))["model"] == "other"


@pytest.mark.parametrize(("short", "whole"), [("opus", "claude-opus"), ("haiku", "claude-haiku")])
def test_short_names_of_models(short: str, whole: str) -> None:
    assert sent(ANTHROPIC, call(model=short))["model"].startswith(whole)


def test_a_call_without_any_model() -> None:
    with OLLAMA.server() as server:
        with pytest.raises(OptionNotHonoured, match="was given no model; name one by --agent ollama:MODEL"):
            ask(OLLAMA.agent(server, model=None), call())
        assert ask(OLLAMA.agent(server, model=None), call(model="qwen")).model == "qwen"


def test_a_session_is_continued_where_there_are_some() -> None:
    asked = replace(call(**{"continue": "handle"}), session="resp_0")
    assert sent(RESPONSES, asked)["previous_response_id"] == "resp_0"
    others: list[tuple[Provider, dict[str, Any]]] = [(ANTHROPIC, {}), (CHAT, {}), (OLLAMA, {})]
    for provider, own in (*others, (RESPONSES, {"store": False})):
        with provider.server() as server, pytest.raises(OptionNotHonoured, match="continue"):
            ask(provider.agent(server, **own), asked)
        assert server.requests == []


def test_without_storing_there_is_no_session() -> None:
    with RESPONSES.server() as server:
        assert ask(RESPONSES.agent(server, store=False), call()).session_id is None
    assert server.requests[0].body["store"] is False


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        (ANTHROPIC, ["max_tokens"]),
        (RESPONSES, ["max_output_tokens"]),
        (CHAT, ["max_tokens"]),
        (OLLAMA, ["options", "num_predict"]),
    ],
    ids=lambda value: value.name if isinstance(value, Provider) else "",
)
def test_an_answer_has_no_more_tokens_than_the_run_may_spend(provider: Provider, path: list[str]) -> None:
    def limit(left: int | None, **own: Any) -> int:
        found: Any = sent(provider, replace(call(), tokens_left=left), **own)
        for name in path:
            found = found[name]
        assert isinstance(found, int)
        return found

    assert limit(None, max_tokens=500) == 500
    assert limit(499, max_tokens=500) == 499
    assert limit(501, max_tokens=500) == 500
    assert limit(0, max_tokens=500) == 16
    assert limit(300) == 300
    with pytest.raises(KeyError) if provider is not ANTHROPIC else nullcontext():  # a model may not take it
        assert limit(90_000) == 32_000


def test_an_answer_that_is_cut_by_what_the_run_may_spend_says_so() -> None:
    step = CHAT.says(Said("I", stop="length"))
    with (
        CHAT.server().then(step) as server,
        pytest.raises(AgentError, match="300 tokens, which are"),
    ):
        ask(CHAT.agent(server), replace(call(), tokens_left=300))


@each
def test_members_of_the_users_own_are_sent_and_ours_stay(provider: Provider) -> None:
    body = {"temperature": 0, "options": {"num_ctx": 9, "num_predict": 1}, "output_config": {"x": 1}}
    asked = sent(provider, call(schema=SCHEMA), body=body, max_tokens=50)
    assert asked["temperature"] == 0
    if provider is OLLAMA:
        assert asked["options"] == {"num_ctx": 9, "num_predict": 50}
    if provider is ANTHROPIC:
        assert asked["output_config"].keys() == {"x", "format"}


def test_prompts_are_cached_on_demand() -> None:
    assert sent(ANTHROPIC, call(), cache=True)["cache_control"] == {"type": "ephemeral"}


def test_lone_surrogates_have_no_utf_8() -> None:
    assert sent(CHAT, call("a\udc00b"))["messages"][0]["content"] == "a?b"


@each
def test_an_answer_in_one_piece_is_taken_too(provider: Provider) -> None:
    def whole(request: Any) -> Any:
        body = request.body | {"stream": False}
        return provider.usual(Request("POST", request.path, {}, json.dumps(body).encode()))

    with provider.server().then(whole) as server:
        answer = ask(provider.agent(server), call(schema=SCHEMA))
    assert isinstance(answer.value, dict)
    assert answer.usage == USAGE[provider.name]
