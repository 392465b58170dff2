"""When requests are sent again, how bodies are cut into messages, what errors and settings mean: tables."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcage.agents import AgentSpecError
from flowcage.host.agents.http import anthropic, ollama, openai
from flowcage.host.agents.http.network.backoff import LONGEST_S, may_pass, pause, retry_after
from flowcage.host.agents.http.network.failure import Kind, refusal_of
from flowcage.host.agents.http.network.lines import Events, Lines, Whole
from flowcage.host.agents.http.network.secret import Secret
from flowcage.host.agents.http.told import at, count_at, each_at, name_at, text_at
from flowcage.host.agents.settings import AgentSettings

from .http_agents import KEY

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "5"}, 5.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "5"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "5"}, 5.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:47 GMT"}, 10.0),
        ({"retry-after": "Sun, 06 Nov 1994 09:49:47 +0100"}, 10.0),
        ({"retry-after": "Sun Nov  6 08:49:47 1994"}, 10.0),
        ({"retry-after": "Sat, 05 Nov 1994 08:49:47 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Sun, 06 Nov 999999999 08:49:47 GMT"}, None),
        ({"retry-after": "\x00\xff"}, None),
    ],
)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_is_a_fault_of_ours(text: str) -> None:
    seconds = retry_after({"retry-after": text}, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(1, 5000), st.floats(0, 1))
def test_pauses_grow_to_a_limit(failures: int, chance: float) -> None:
    seconds = pause(failures, None, lambda: chance)
    assert 0.25 * min(2 ** min(failures - 1, 10), 60) <= seconds <= LONGEST_S
    assert seconds <= 0.5 * 2 ** min(failures - 1, 10)


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0, 1e6))
def test_no_pause_is_shorter_than_a_server_asks(failures: int, chance: float, asked: float) -> None:
    assert asked <= pause(failures, asked, lambda: chance) <= asked + 1


@pytest.mark.parametrize(
    ("status", "headers", "passes"),
    [
        (408, {}, True),
        (429, {}, True),
        (529, {}, True),
        (400, {}, False),
        (404, {}, False),
        (400, {"x-should-retry": "true"}, True),
        (503, {"x-should-retry": "False"}, False),
        (503, {"x-should-retry": "maybe"}, True),
    ],
)
def test_what_may_pass(status: int, headers: dict[str, str], passes: bool) -> None:
    assert may_pass(status, headers) is passes


BODY = b"event: x\r\ndata: one\r\ndata:two\r\n\r\n: note\n\ndata\n\nid: 5\rdata: \xc3\xa4\r\rdata: last"


@pytest.mark.parametrize("make", [Events, Lines, Whole])
@given(st.lists(st.integers(0, len(BODY)), max_size=8))
def test_messages_do_not_depend_on_how_a_body_comes(make: Callable[[], Any], cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(BODY)]
    cutter = make()
    messages = [each for at, end in pairwise(places) for each in cutter.feed(BODY[at:end])]
    messages += cutter.end()
    wanted: dict[Any, list[bytes]] = {
        Events: [b"one\ntwo", b"\xc3\xa4", b"last"],
        Lines: BODY.replace(b"\r\n", b"\n").splitlines(),
        Whole: [BODY],
    }
    assert messages == wanted[make]


def test_what_is_kept_of_a_message_is_counted() -> None:
    events, lines = Events(), Lines()
    assert list(events.feed(b"data: 1234\ndata: 5")) == []
    assert events.pending == len(b"data: 1234data: 5")
    assert list(events.feed(b"\n\n")) == [b"1234\n5"]
    assert events.pending == 0
    assert list(lines.feed(b"12\n345")) == [b"12"]
    assert lines.pending == 3


def anthropic_error(kind: str, message: str) -> bytes:
    return f'{{"type": "error", "error": {{"type": "{kind}", "message": "{message}"}}}}'.encode()


@pytest.mark.parametrize(
    ("status", "content", "kind", "words"),
    [
        (400, anthropic_error("invalid_request_error", "bad"), Kind.FINAL, "(status 400): bad"),
        (400, anthropic_error("invalid_request_error", "output_config.format: no"), Kind.FORM, "no"),
        (400, anthropic_error("invalid_request_error", "output_config.effort: no"), Kind.FINAL, "effort"),
        (529, anthropic_error("overloaded_error", "busy"), Kind.PASSING, "overloaded_error: busy"),
        (429, anthropic_error("rate_limit_error", "slow"), Kind.PASSING, "rate_limit_error: slow"),
        (401, b"", Kind.UNAVAILABLE, "no reason is given"),
        (302, b"", Kind.FINAL, "no redirect is followed"),
        (500, b'{"error": "failed to parse grammar"}', Kind.FORM, "grammar"),
        (422, b'{"detail": "response_format: no"}', Kind.FORM, "response_format"),
        (404, b'{"error": "model \'m\' not found"}', Kind.FINAL, "model 'm' not found"),
        (404, b'{"error": {"message": 5, "type": []}}', Kind.FINAL, '{"error"'),
        (418, b"\xff\xfe", Kind.FINAL, "status 418"),
        (400, b"[" * 60_000, Kind.FINAL, "[[["),
    ],
)
def test_what_an_error_means(status: int, content: bytes, kind: Kind, words: str) -> None:
    failure = refusal_of(status, {"retry-after": "5"}, content, NOW)
    assert failure.kind is kind
    assert words in str(failure)
    assert failure.after_s == (5.0 if kind is Kind.PASSING else None)


def test_what_a_provider_tells_is_read_with_care() -> None:
    told = {"a": [{"b": "x", "n": 5, "wrong": True, "huge": 2**60, "less": -1, "long": "x" * 501}]}
    assert text_at(told, "a", 0, "b") == "x"
    assert at(told, "a", -1, "n") == 5
    assert [count_at(told, "a", 0, name) for name in ("n", "wrong", "huge", "less", "b", "none")] == [5] + [
        0
    ] * 5
    assert (text_at(told, "a", 0, "n"), at(told, "a", 1), at(told, 0), at(None, "x")) == (None,) * 4
    assert name_at(told, "a", 0, "b") == "x"
    assert name_at(told, "a", 0, "long") is None
    assert (each_at(told, "a", 0), len(each_at(told, "a"))) == ([], 1)


def test_a_secret_shows_in_no_text() -> None:
    secret = Secret(f" {KEY}\n", "the variable X")
    assert secret.reveal() == KEY
    assert KEY not in f"{secret} {secret!r} {[secret]} {vars(type(secret))}"
    assert secret.hide(f"a {KEY} b {KEY}") == "a [key] b [key]"
    assert Secret("short", "X").hide("a short text") == "a short text"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("key", ["a b", "sk-ä", "x\ny", "x\x00y"])
def test_what_no_header_can_carry_is_no_key(key: str) -> None:
    with pytest.raises(AgentSpecError, match="the variable X is no key") as caught:
        Secret(key, "the variable X")
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("gpu", "http://gpu:11434"),
        ("gpu:9000/", "http://gpu:9000"),
        ("http://gpu", "http://gpu:11434"),
        ("https://gpu", "https://gpu"),
        ("https://gpu/ollama/", "https://gpu/ollama"),
        ("http://gpu:1/x", "http://gpu:1/x"),
        ("[::1]", "http://[::1]:11434"),
        ("[::]:5", "http://[::1]:5"),
    ],
)
def test_where_ollama_is(host: str, url: str) -> None:
    assert ollama.url_of(host) == url


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("make", [anthropic.make, openai.make, ollama.make])
@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"base_url": "ftp://x"}, "must be like https://host/path"),
        ({"base_url": "https://"}, "must be like"),
        ({"base_url": "https://x:99999"}, "must be like"),
        ({"base_url": "https://x/?key=5"}, "must be like"),
        ({"base_url": "https://xn--\u2603/"}, "is none"),
        ({"base_url": f"https://user:{KEY}@x"}, "no user and password"),
        ({"base_url": 5}, "base_url must be text"),
        ({"api_key": KEY}, "has no member 'api_key'; it has "),
        ({"api_key_env": "NO_SUCH_KEY"}, "needs a key in the environment variable NO_SUCH_KEY"),
        ({"max_tokens": 0}, "max_tokens must be a whole number of 1 or more"),
        ({"max_tokens": True}, "max_tokens must be a whole number"),
        ({"max_retries": -1}, "max_retries must be"),
        ({"connect_timeout_s": 0}, "connect_timeout_s must be a number of seconds above 0"),
        ({"body": []}, "body must be a table"),
        ({"body": {"stream": False}}, "body may not have 'stream'"),
        ({"structured": "magic"}, "structured must be one of format"),
    ],
)
def test_a_setting_that_is_wrong(make: Any, own: dict[str, Any], words: str) -> None:
    with pytest.raises(AgentSpecError) as caught:
        make("m", AgentSettings(own=own))
    assert words in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("agent", [anthropic, openai, ollama])
def test_a_key_is_not_sent_where_all_can_read_it(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(url: str, **own: Any) -> None:
        agent.make("m", AgentSettings(own={"base_url": url, **own}))

    with pytest.raises(AgentSpecError, match="would send its key over http, which everybody"):
        make("http://gpu:8000/v1")
    for url in ("https://gpu:8000/v1", "http://127.1.2.3:8000", "http://localhost:1", "http://[::1]:1"):
        make(url)
    make("http://gpu:8000/v1", api_key_env="")
    make("http://gpu:8000/v1", api_key_env=agent.KEY_VARIABLE)
    monkeypatch.delenv(agent.KEY_VARIABLE)
    make("http://gpu:8000/v1")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", f"socks5://user:{KEY}@h:1", "SOCKS"),
        ("HTTPS_PROXY", f"ftp://user:{KEY}@h", "not the address of a proxy"),
        ("NO_PROXY", "[::", "not the address of a proxy"),
        ("SSL_CERT_FILE", "/no/such/file", "SSL_CERT_FILE cannot be read: No such file"),
        ("SSL_CERT_FILE", __file__, "SSL_CERT_FILE cannot be read"),
    ],
)
def test_a_wrong_environment_is_told_before_a_run(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(AgentSpecError) as caught:
        anthropic.make(None, AgentSettings())
    assert words in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("agent", [anthropic, openai])
def test_without_a_key_there_is_no_agent_of_the_provider_itself(
    agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert agent.found() == agent.KEY_VARIABLE
    monkeypatch.delenv(agent.KEY_VARIABLE)
    assert agent.found() is None
    with pytest.raises(AgentSpecError, match=f"environment variable {agent.KEY_VARIABLE}, which is not set"):
        agent.make(None, AgentSettings())
    monkeypatch.setenv(agent.URL_VARIABLE, "http://127.0.0.1:1")
    agent.make(None, AgentSettings())
    monkeypatch.setenv(agent.KEY_VARIABLE, "two words")
    with pytest.raises(AgentSpecError, match="is no key"):
        agent.make(None, AgentSettings())


def test_ollama_is_found_by_its_variable_or_its_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert ollama.found() is None
    (tmp_path / "ollama").touch(0o755)
    assert ollama.found() == str(tmp_path / "ollama")
    monkeypatch.setenv("OLLAMA_HOST", "gpu")
    assert ollama.found() == "OLLAMA_HOST"
