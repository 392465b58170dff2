"""What the agents of providers make of the faults of networks and of providers."""

from __future__ import annotations

import re
import socket
import ssl
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.agents import AgentError, AgentsUnavailable, AgentUsage, Progress
from flowcage.host.agents.http.network import connections, wire

from ..host.left_over import descriptors_free
from .http_agents import ANTHROPIC, CHAT, KEY, OLLAMA, PROVIDERS, RESPONSES, SCHEMA, Provider, ask, call
from .servers import anthropic, openai
from .servers.loopback import Answer, Request, Server, json_answer
from .servers.said import Said

pytestmark = pytest.mark.usefixtures("keys")
each = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
TLS = Path(__file__).parent / "servers" / "loopback.pem"
AT_ONCE = {"retry-after": "0"}


def failure(agent: Any, asked: Any = None) -> AgentError:
    with pytest.raises(AgentError) as caught:
        ask(agent, asked or call())
    return caught.value


def reckoned(server: Server) -> AgentUsage:
    """What the last request is taken to be, where the provider does not tell."""
    return AgentUsage(-(-len(server.requests[-1].content) // 4))


@each
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_sent_again(provider: Provider, status: int) -> None:
    step = provider.error(status, "api_error", "later", AT_ONCE)
    with provider.server().then(step, step) as server:
        assert ask(provider.agent(server), call()).value == "The answer is 42."
    assert len(server.requests) == 3
    assert len({request.content for request in server.requests}) == 1
    assert len({request.headers.get("idempotency-key") for request in server.requests}) == 1


@each
def test_it_is_sent_again_so_often_and_no_more(provider: Provider) -> None:
    step = provider.error(529, "overloaded_error", "Overloaded", {"retry-after-ms": "1"})
    with provider.server().then(*[step] * 9) as server:
        error = failure(provider.agent(server, max_retries=3))
    assert len(server.requests) == 4
    assert "(status 529)" in str(error)
    assert "Overloaded (4 requests were sent)" in str(error)
    assert not isinstance(error, AgentsUnavailable)


@pytest.mark.parametrize("is_date", [False, True])
def test_no_wait_is_longer_than_the_call_may_take(is_date: bool) -> None:
    after = formatdate(time.time() + 7200, usegmt=True) if is_date else "3600"
    step = anthropic.error(429, "rate_limit_error", "slow down", {"retry-after": after})
    with anthropic.server().then(step) as server:
        error = failure(ANTHROPIC.agent(server))
    assert re.search(r"slow down; the next request would be in \d{4} s, and .* has \d+ s left", str(error))
    assert len(server.requests) == 1


def test_a_server_says_itself_whether_to_come_again() -> None:
    never = anthropic.error(529, "overloaded_error", "no", {"x-should-retry": "false"})
    again = anthropic.error(400, "invalid_request_error", "yes", {"x-should-retry": "true", **AT_ONCE})
    with anthropic.server().then(again, never) as server:
        assert "no" in str(failure(ANTHROPIC.agent(server)))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("provider", "status", "code", "message"),
    [
        (ANTHROPIC, 401, "authentication_error", "invalid x-api-key"),
        (ANTHROPIC, 402, "billing_error", "Payment required"),
        (ANTHROPIC, 403, "permission_error", "not allowed"),
        (ANTHROPIC, 400, "invalid_request_error", "Your credit balance is too low to access the API"),
        (ANTHROPIC, 429, "enforced_spend_limit_reached", "threshold"),
        (RESPONSES, 401, "invalid_api_key", "Incorrect API key provided"),
        (RESPONSES, 429, "insufficient_quota", "You exceeded your current quota"),
        (CHAT, 429, "billing_hard_limit_reached", "Billing hard limit has been reached"),
        (CHAT, 402, None, "Insufficient credits"),
        (CHAT, 403, None, "no"),
        (OLLAMA, 401, None, "unauthorized"),
    ],
)
def test_an_account_that_cannot_pay_or_is_not_known_makes_agents_unavailable(
    provider: Provider, status: int, code: Any, message: str
) -> None:
    with provider.server().then(provider.error(status, code, message, AT_ONCE)) as server:
        error = failure(provider.agent(server))
    assert isinstance(error, AgentsUnavailable)
    assert message in str(error)
    assert len(server.requests) == 1


@each
@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_wrong_request_is_not_sent_again(provider: Provider, status: int) -> None:
    with provider.server().then(provider.error(status, None, "there is no model m")) as server:
        error = failure(provider.agent(server))
    assert f"was refused (status {status}): " in str(error)
    assert "there is no model m" in str(error)
    assert len(server.requests) == 1
    assert type(error) is AgentError


@each
def test_an_error_that_is_no_json_is_shown_in_part(provider: Provider) -> None:
    page = b"<html>\x1b[31mbad gateway\x00 " + b"x" * 200_000
    with provider.server().then(Answer(418, {"content-type": "text/html"}, (page,))) as server:
        error = str(failure(provider.agent(server)))
    assert "<html>bad gateway" in error
    assert len(error) < 1_200


@each
@pytest.mark.parametrize("hard", [False, True])
def test_a_connection_that_is_cut_before_the_answer_is_made_again(provider: Provider, hard: bool) -> None:
    with provider.server().then(Answer().cut(0, hard=hard)) as server:
        assert ask(provider.agent(server), call()).value == "The answer is 42."
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("provider", "after"),
    [(ANTHROPIC, 5), (RESPONSES, 4), (CHAT, 3), (OLLAMA, 2)],
    ids=lambda value: value.name if isinstance(value, Provider) else "",
)
@pytest.mark.parametrize("hard", [False, True])
def test_an_answer_that_is_cut_in_the_middle_is_charged_and_not_asked_for_again(
    provider: Provider, after: int, hard: bool
) -> None:
    with provider.server().then(lambda request: provider.usual(request).cut(after, hard=hard)) as server:
        error = failure(provider.agent(server))
    assert "broke the connection" in str(error)
    asked = AgentUsage(120, 0, 30, 10) if provider is ANTHROPIC else reckoned(server)
    assert (error.usage, error.model) == (replace(asked, output=5), "m")  # of 17 bytes
    assert len(server.requests) == 1


@pytest.mark.parametrize(("provider", "left_out"), [(ANTHROPIC, 1), (RESPONSES, 1), (CHAT, 3), (OLLAMA, 1)])
def test_a_stream_that_ends_early_is_no_answer(provider: Provider, left_out: int) -> None:
    def ended(request: Request) -> Answer:
        whole = provider.usual(request)
        return Answer(200, whole.headers, whole.pieces[:-left_out])

    with provider.server().then(ended) as server:
        assert "before its answer had ended" in str(failure(provider.agent(server)))


@each
@pytest.mark.parametrize("after", [0, 2])
def test_a_server_that_never_answers_is_left_at_the_idle_limit(provider: Provider, after: int) -> None:
    with provider.server().then(lambda request: provider.usual(request).hang(after)) as server:
        error = failure(provider.agent(server, idle_timeout_s=0.5, max_retries=0))
        server.wait_until_idle()
    assert "sent nothing for 0.5 s" in str(error)


@each
def test_a_server_that_drips_is_left_at_the_limit_of_the_call(provider: Provider) -> None:
    with provider.server().then(lambda request: provider.usual(request).drip(0.1)) as server:
        error = failure(provider.agent(server, timeout_s=1.0, idle_timeout_s=60.0))
        server.wait_until_idle()
    assert "took longer than 1 s" in str(error)


@each
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nobody_is_there_on_this_machine(provider: Provider, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed, provider.server() as server:
        address = f"{host}:{closed.getsockname()[1]}"
        closed.close()
        caught = failure(provider.agent(server, base_url=f"http://{address}"))
    error = str(caught)
    assert isinstance(caught, AgentsUnavailable)
    assert "could not be connected to" in error
    assert "requests" not in error  # there is no use in waiting
    assert ("ollama serve" in error) == (provider is OLLAMA)


@each
@pytest.mark.parametrize("with_schema", [False, True])
def test_an_answer_of_8_mb_is_taken(provider: Provider, with_schema: bool) -> None:
    text = "ä€" * 1_700_000
    said = f'{{"a": "{text}"}}' if with_schema else text
    options: dict[str, Any] = (
        {"schema": {"type": "object", "properties": {"a": {"type": "string"}}}} if with_schema else {}
    )
    with provider.server().then(provider.says(said)) as server:
        answer = ask(provider.agent(server), call(**options))
    assert answer.value == ({"a": text} if with_schema else text)


@each
def test_an_answer_of_more_than_16_mb_is_not(provider: Provider) -> None:
    with provider.server().then(provider.says("x" * 17_000_000)) as server:
        assert "more than 16,777,216 characters" in str(failure(provider.agent(server)))


@each
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b'data: {"type": "ping", "x": "\xff"}\n\n', "bytes that are not UTF-8"),
        (b"data: {broken\n\n", "what is not JSON"),
        (b"data: " + b"[" * 100_000 + b"\n\n", "what is not JSON"),
        (b'data: {"x": NaN}\n\n', "what is not JSON"),
    ],
)
def test_damage_in_the_middle(provider: Provider, damage: bytes, words: str) -> None:
    line = damage.removeprefix(b"data: ").rstrip() + b"\n" if provider is OLLAMA else damage

    def damaged(request: Request) -> Answer:
        whole = provider.usual(request)
        return Answer(200, whole.headers, (*whole.pieces[:2], line, *whole.pieces[2:]))

    with provider.server().then(damaged) as server:
        error = failure(provider.agent(server))
        server.wait_until_idle()
    assert words in str(error)
    assert len(server.requests) == 1


@each
@pytest.mark.parametrize(
    "told",
    [None, [], "x", 5, {"type": []}, {"choices": 1}, {"choices": [None]}, {"response": []}, {"message": 1}],
)
def test_json_of_any_shape_is_no_fault_of_ours(provider: Provider, told: Any) -> None:
    with provider.server().then(json_answer(told)) as server:
        assert "before its answer had ended" in str(failure(provider.agent(server, max_retries=0)))


@each
def test_counts_that_cannot_be_are_none(provider: Provider) -> None:
    wrong = dict.fromkeys(
        ("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "eval_count"), -5
    ) | {"cache_read_input_tokens": True, "prompt_eval_count": 10**30, "input_tokens_details": [1]}
    with provider.server().then(provider.says(Said(usage=wrong))) as server:
        answer = ask(provider.agent(server), call())
    assert answer.usage == AgentUsage(0, int(provider is ANTHROPIC))  # its server begins with a token


@pytest.mark.parametrize(
    ("provider", "event", "words"),
    [
        (ANTHROPIC, anthropic.error_event("overloaded_error", "Overloaded"), "overloaded_error: Overloaded"),
        (RESPONSES, openai.failed_event("server_error", "oops"), "server_error: oops"),
        (RESPONSES, openai.event({"type": "error", "code": "server_error", "message": "oops"}), "oops"),
        (CHAT, b'data: {"error": {"message": "oops", "code": "server_error"}}\n\n', "oops"),
        (OLLAMA, b'{"error": "oops"}\n', "oops"),
    ],
)
def test_an_error_in_the_stream(provider: Provider, event: bytes, words: str) -> None:
    def broken(after: int) -> Any:
        def step(request: Request) -> Answer:
            whole = provider.usual(request)
            return Answer(200, whole.headers, (*whole.pieces[:after], event))

        return step

    with provider.server().then(
        broken(0), broken({"anthropic": 5, "ollama": 1}.get(provider.name, 3))
    ) as server:
        error = failure(provider.agent(server))
    assert words in str(error)
    assert len(server.requests) == 2  # the first has cost nothing
    assert error.usage is not None
    assert error.usage.input == (120 if provider is ANTHROPIC else reckoned(server).input)
    assert 0 < error.usage.output < 6


@pytest.mark.parametrize(
    ("provider", "said", "words"),
    [
        (ANTHROPIC, Said("I", stop="refusal"), "refused to answer: I"),
        (RESPONSES, Said(refusal="I cannot"), "refused to answer: I cannot"),
        (RESPONSES, Said("I", stop="content_filter"), "refused to answer: its content filter"),
        (CHAT, Said(refusal="I cannot"), "refused to answer: I cannot"),
        (CHAT, Said("I", stop="content_filter"), "refused to answer: its content filter"),
        (ANTHROPIC, Said("I", stop="max_tokens"), "cut its answer off at 99 tokens"),
        (ANTHROPIC, Said("I", stop="model_context_window_exceeded"), "the context of the model is full"),
        (RESPONSES, Said("I", stop="max_output_tokens"), "max_tokens sets"),
        (CHAT, Said("I", stop="length"), "max_tokens sets"),
        (OLLAMA, Said("I", stop="length"), "max_tokens sets"),
    ],
)
@pytest.mark.parametrize("schema", [None, {"type": "string"}])
def test_what_is_no_answer_is_an_error_that_cost_something(
    provider: Provider, said: Said, words: str, schema: Any
) -> None:
    with provider.server().then(provider.says(said)) as server:
        error = failure(provider.agent(server, max_tokens=99), call(schema=schema))
    assert words in str(error)
    assert type(error) is AgentError
    assert error.tokens > 0
    assert error.model == "m"
    assert len(server.requests) == 1


@each
def test_a_redirect_is_not_followed(provider: Provider) -> None:
    with provider.server() as elsewhere, provider.server() as server:
        for status in (301, 302, 307, 308):
            server.then(Answer(status, {"location": f"{elsewhere.url}/v1/messages"}, (b"",)))
            assert f"was redirected (status {status})" in str(failure(provider.agent(server)))
    assert elsewhere.requests == []


@each
def test_a_certificate_is_verified(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS)
    with Server(provider.usual, tls=context) as server:
        error = str(failure(provider.agent(server)))
        assert "CERTIFICATE_VERIFY_FAILED" in error
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(TLS))
        assert ask(provider.agent(server), call()).value == "The answer is 42."


@each
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_call_that_is_cancelled_leaves_no_connection(provider: Provider, after: int) -> None:
    async def main(server: Server) -> None:
        agent = provider.agent(server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agent, call())
            await trio.to_thread.run_sync(server.wait_for_requests, 1)
            nursery.cancel_scope.cancel()
        await trio.to_thread.run_sync(server.wait_until_idle)

    with provider.server().then(lambda request: provider.usual(request).hang(after)) as server:
        trio.run(main, server)


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope when the task that made this is about to take its nth step from there."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self._scope, self._left, self._task = scope, step, trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self._scope.cancel()


@each
def test_a_call_that_is_cancelled_at_any_step_leaves_no_connection(provider: Provider) -> None:
    async def main(agent: Any, step: int) -> bool:
        with trio.CancelScope() as scope:
            trio.lowlevel.add_instrument(CancelAtStep(scope, step))
            await agent(call())
        return scope.cancelled_caught

    with provider.server() as server:
        steps = 0
        while trio.run(main, provider.agent(server), steps + 1):
            steps += 1
            server.wait_until_idle()
    assert steps > 5


@each
def test_many_calls_at_once(provider: Provider) -> None:
    async def main(agent: Any) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(60):
                nursery.start_soon(agent, call(schema=SCHEMA))

    with provider.server() as server:
        trio.run(main, provider.agent(server))
        server.wait_until_idle()
    assert len(server.requests) == 60


@each
def test_connections_are_used_again_and_end_with_the_trio_run(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "_REST_SECONDS", 60.0)

    async def main(agent: Any) -> None:
        for _ in range(3):
            await agent(call())

    with provider.server() as server:
        agent = provider.agent(server)
        for runs in (1, 2):
            trio.run(main, agent)
            server.wait_until_idle()
            assert server.connections == runs
    assert len(server.requests) == 6


@each
def test_no_proxy_is_asked_for_what_is_on_this_machine(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with provider.server() as server:
        assert ask(provider.agent(server), call()).value == "The answer is 42."


def test_a_proxy_is_asked_for_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with anthropic.server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert ask(ANTHROPIC.agent(proxy, base_url="http://models.invalid", api_key_env=""), call()).value
    assert proxy.requests[0].path == "http://models.invalid/v1/messages"


def test_connections_that_nobody_uses_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(agent: Any) -> None:
        for _ in range(2):
            assert (await agent(call())).value == "The answer is 42."
            await trio.to_thread.run_sync(server.wait_until_idle)

    monkeypatch.setattr(connections, "IDLE_S", 0.01)
    with anthropic.server() as server:
        trio.run(main, ANTHROPIC.agent(server))


def test_progress_tells_of_what_is_spent_and_of_waiting() -> None:
    told: list[Progress] = []
    asked = replace(call(), watcher=told.append)
    step = anthropic.error(529, "overloaded_error", f"Overloaded {KEY}", AT_ONCE)
    with anthropic.server().then(step) as server:
        ask(ANTHROPIC.agent(server), asked)
    assert [each.text and each.text[:5] for each in told] == ["waits", None, "has w"]
    assert KEY not in repr(told)
    assert [each.usage for each in told[1:]] == [AgentUsage(120, 1, 30, 10), AgentUsage(120, 7, 30, 10)]


@each
def test_without_descriptors_the_error_says_what_to_do(provider: Provider) -> None:
    async def asked() -> None:
        with provider.server() as server:
            agent = provider.agent(server, max_retries=0)
            with (
                descriptors_free(0),
                pytest.raises(AgentError, match=r"raise the limit of open files") as error,
            ):
                await agent(call())
            assert "(ulimit -n), or let fewer agents work at once (--max-agents)" in str(error.value)
            await agent(call())

    trio.run(asked)
