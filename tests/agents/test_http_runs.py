"""Whole runs whose agents ask providers: ceilings hold, and the key is nowhere."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.agents import Agent, AgentAnswer, AgentCall, AgentError, Progress, priced
from flowcage.host import Outcome, RunOptions, run_workflow_blocking

from ..e2e.command import flowcage
from .http_agents import ANTHROPIC, CHAT, KEY, OLLAMA, PROVIDERS, RESPONSES, Provider, ask, call
from .servers.loopback import Answer, Request

pytestmark = pytest.mark.usefixtures("keys")
each = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
AFTER = {"anthropic": 4, "responses": 3, "chat": 2, "ollama": 1}
LOOP = """
let calls = 0;
for (; calls < 40; calls++) {
  try { await agent('What is it?', %s); }
  catch (error) { if (/budget|maxCost|ceiling/.test(error.message)) break; }
}
export default calls;"""


SOURCE = """
const answers = [await agent('one'), await agent('two').catch((error) => error.message)];
export default [...answers, await agent('three', {schema: {type: 'object'}})];"""


def run(source: str, **options: Any) -> Outcome:
    """Run to a result; in a process that has the server, too, its descriptors are not those of the run."""
    return run_workflow_blocking(source, options=RunOptions(timeout_seconds=600, **options))


def whole(provider: Provider) -> Callable[[Request], Answer]:
    return provider.usual


def cut(provider: Provider) -> Callable[[Request], Answer]:
    return lambda request: provider.usual(request).cut(AFTER[provider.name])


def left(provider: Provider) -> Callable[[Request], Answer]:
    return lambda request: provider.usual(request).hang(AFTER[provider.name])


def wrong(provider: Provider) -> Callable[[Request], Answer]:
    step: Callable[[Request], Answer] = provider.says("no JSON")
    return step


def leaving(agent: Agent, step: Any) -> Agent:
    """An agent that is cancelled once it has told what it has spent, where the server hangs then."""

    async def answer(asked: AgentCall) -> AgentAnswer:
        def hear(progress: Progress) -> None:
            asked.tell(progress)
            scope.cancel()

        with trio.CancelScope() as scope:
            return await agent(replace(asked, watcher=hear))
        raise AgentError("it was left")

    return answer if step is left else agent


WAYS = pytest.mark.parametrize(
    ("step", "options"),
    [(whole, "{}"), (cut, "{}"), (left, "{}"), (wrong, "{schema: {type: 'object'}}")],
    ids=lambda value: getattr(value, "__name__", ""),
)


@each
@WAYS
def test_a_budget_of_tokens_holds_within_one_calls_worth(provider: Provider, step: Any, options: str) -> None:
    with provider.server().always(step(provider)) as server:
        outcome = run(LOOP % options, agent=leaving(provider.agent(server), step), budget_tokens=150)
    spent, asked = outcome.report.usage.tokens, len(server.requests)
    assert 0 < outcome.result < 40
    assert spent - 2 * spent / asked < 150 <= spent  # of a wrong answer, a call is asked for twice


@pytest.mark.parametrize("provider", [ANTHROPIC, RESPONSES, CHAT], ids=lambda provider: provider.name)
@WAYS
def test_a_ceiling_in_dollars_holds_within_one_calls_worth(
    provider: Provider, step: Any, options: str
) -> None:
    model = "claude-sonnet-4-5" if provider is ANTHROPIC else "gpt-5.1"
    with provider.server().always(step(provider)) as server:
        agent = priced(leaving(provider.agent(server, model=model), step))
        outcome = run(LOOP % options, agent=agent, max_cost_usd=0.001)
    spent, asked = outcome.report.usage.cost_usd, len(server.requests)
    assert 0 < outcome.result < 40
    assert spent - 2 * spent / asked < 0.001 <= spent


def test_what_a_machine_of_ones_own_answers_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_API_KEY")
    with OLLAMA.server().then(lambda request: OLLAMA.usual(request).cut(1)) as server:
        outcome = run(LOOP % "{}", agent=priced(OLLAMA.agent(server, model="gpt-5.1")), max_cost_usd=0.0001)
    usage = outcome.report.usage
    assert (outcome.result, usage.cost_usd, usage.unpriced) == (40, 0, 0)


@pytest.mark.parametrize(
    ("provider", "name"),
    [(ANTHROPIC, "anthropic"), (RESPONSES, "openai"), (CHAT, "openai"), (OLLAMA, "ollama")],
    ids=lambda value: value.name if isinstance(value, Provider) else "",
)
def test_the_key_is_in_no_output_of_a_run(provider: Provider, name: str, tmp_path: Path) -> None:
    """The server sends the key back in all that it says."""
    (tmp_path / "w.js").write_text(SOURCE)
    headers = {"retry-after-ms": "1", "x-key": KEY, "location": f"/{KEY}"}
    errors = [provider.error(status, KEY, f"is {KEY} yours? {KEY}", headers) for status in (400, 529, 401)]
    store = tmp_path / "runs.db"
    with provider.server().then(provider.says(f"I know {KEY}."), *errors[:2]) as server:
        server.always(lambda _: errors[2])
        variables = {
            provider.variable: KEY,
            "ANTHROPIC_BASE_URL": server.url,
            "OPENAI_BASE_URL": server.url + provider.path,
            "OLLAMA_HOST": server.url,
        }
        words = ("--agent", f"{name}:m", "--store", store, "--events", tmp_path / "events.jsonl")
        done = flowcage("run", tmp_path / "w.js", *words, env=variables)
        shown = flowcage("show", "@last", "--store", store, env=variables)
    assert done.json["verdict"] == "agents_unavailable"
    assert len(server.requests) == 4
    assert server.requests[0].headers["x-api-key" if provider is ANTHROPIC else "authorization"].endswith(KEY)
    texts = [done.stdout, done.stderr, shown.stdout, shown.stderr]
    assert "[key]" in "".join(texts)
    assert [text for text in texts if KEY in text] == []
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


@each
def test_the_key_is_in_no_log_and_no_traceback(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with provider.server() as server:
        agent = provider.agent(server, max_retries=0)
        server.then(lambda request: provider.usual(request).cut(2), Answer().cut(0, hard=True))
        server.then(provider.error(400, None, KEY))
        for _ in range(3):
            with pytest.raises(AgentError) as caught:
                ask(agent, call())
            lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            assert KEY not in "".join(traceback.format_exception(caught.value))
            assert KEY not in "".join(lines.format())
    assert caplog.records
    assert KEY not in caplog.text
    assert KEY not in json.dumps([str(record.__dict__) for record in caplog.records])
