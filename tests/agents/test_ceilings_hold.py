"""A ceiling holds within one call's worth for every built-in agent, when calls grow dearer all at once.

Cheap calls first, so that many may work side by side; then some that cost a large part of the ceiling each.
What was spent is what servers and programs say that they sold, and not what the run has counted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flowcage.agents import Agent, AgentSettings, AgentUsage, mock, parse_agent, priced, read_fixtures
from flowcage.host import Outcome, RunOptions, run_workflow_blocking
from flowcage.host.agents.compose.prices import price_of
from flowcage.host.tenants.purse import Purse
from flowcage.host.workflows.child_workflows import ChildWorkflows

from .http_agents import ANTHROPIC, CHAT, OLLAMA, RESPONSES, Provider
from .servers.loopback import Answer, Request
from .servers.said import Said

pytestmark = pytest.mark.usefixtures("keys")
CHEAP, DEAR = 30, 20
CALLS = """
const call = (prompt, n) => agent(prompt + ' call ' + n, OPTIONS).catch((error) => error.message);
const all = (prompt, count) => Promise.all(Array.from({length: count}, (_, n) => call(prompt, n)));
export default [...await all('cheap', CHEAP), ...await all('dear', DEAR)];"""
BELOW = """
const call = (prompt, n) => agent(prompt + ' call ' + n, OPTIONS).catch((error) => error.message);
await Promise.all(Array.from({length: CHEAP}, (_, n) => call('cheap', n)));
const below = () => workflow({scriptPath: 'kid.js'}).catch((error) => error.message);
export default (await Promise.all([below(), below(), below(), below()])).flat();"""
KID = """
const call = (n) => agent('dear call ' + n, OPTIONS).catch((error) => error.message);
return await Promise.all(Array.from({length: 5}, (_, n) => call(n)));"""
SCHEMA = "{schema: {type: 'object'}}"
RETRY = "{retry: {maxAttempts: 3}}"


class Sale(NamedTuple):
    """What one request to a provider, or one run of a program, has cost."""

    usd: float
    tokens: int


class Seller(NamedTuple):
    """An agent with what it has sold."""

    agent: Agent
    sold: Callable[[], list[Sale]]


def source(text: str, options: str) -> str:
    return text.replace("OPTIONS", options).replace("CHEAP", str(CHEAP)).replace("DEAR", str(DEAR))


def played(seller: Seller, folder: Path, options: str, *, below: bool = False, **ceiling: Any) -> Outcome:
    if not below:
        chosen = RunOptions(agent=seller.agent, timeout_seconds=600, max_agents=16, **ceiling)
        return run_workflow_blocking(source(CALLS, options), options=chosen)
    (folder / "kid.js").write_text(source(KID, options))
    chosen = RunOptions(
        agent=seller.agent, workflow=ChildWorkflows(folder), timeout_seconds=600, max_agents=16, **ceiling
    )
    return run_workflow_blocking(source(BELOW, options), options=chosen)


def require_held(
    outcome: Outcome, sold: list[Sale], tries: int = 1, *, is_ended: bool = False, **ceiling: Any
) -> None:
    """What was sold is less than the ceiling and one call, and the run knows of all of it.

    A program that is ended (`is_ended`) may not have told of what it was about to do.
    """
    usd, tokens = sum(each.usd for each in sold), sum(each.tokens for each in sold)
    assert outcome.report.census.refused + outcome.report.census.failed > 0
    if (most := ceiling.get("max_cost_usd")) is not None:
        assert 0.6 * most < usd < most + tries * max(each.usd for each in sold)
        assert outcome.usage.cost_usd == pytest.approx(usd)
    if (budget := ceiling.get("budget_tokens")) is not None:
        assert 0.6 * budget < tokens < budget + tries * max(each.tokens for each in sold)
        assert outcome.usage.tokens == tokens or is_ended


# ---- providers -------------------------------------------------------------------------------

COUNTS = {
    "anthropic": ("input_tokens", "output_tokens", "max_tokens"),
    "responses": ("input_tokens", "output_tokens", "max_output_tokens"),
    "chat": ("prompt_tokens", "completion_tokens", "max_tokens"),
    "ollama": ("prompt_eval_count", "eval_count", "num_predict"),
}
MODELS = {"anthropic": "claude-sonnet-4-5", "responses": "gpt-5.1", "chat": "gpt-5.1", "ollama": "m"}
WANTED = 100_000


@contextmanager
def provider_seller(provider: Provider, text: str = "{}") -> Iterator[Seller]:
    """A server whose models write as much as they may, up to `WANTED` tokens, where the prompt is dear."""
    model = MODELS[provider.name]
    read, wrote, limit = COUNTS[provider.name]
    sold: list[Sale] = []

    def step(request: Request) -> Answer:
        body = request.body
        most = body.get(limit) or body.get("options", {}).get(limit)
        wanted = WANTED if b"dear" in request.content else 20
        written = wanted if most is None else min(wanted, most)
        usage = AgentUsage(len(request.content) // 3, written)
        price = None if provider is OLLAMA else price_of(usage, model)
        sold.append(Sale(price or 0.0, usage.input + usage.output))
        stop = {"anthropic": "max_tokens", "responses": "max_output_tokens"}.get(provider.name, "length")
        counts = {read: usage.input, wrote: usage.output}
        said = Said(text, usage=counts, stop=stop if written < wanted else None)
        answer: Answer = provider.says(said)(request)
        return answer

    with provider.server().always(step) as server:
        own: dict[str, Any] = {"max_tokens": WANTED} if provider is not RESPONSES else {}
        agent = provider.agent(server, model=model, **own)
        yield Seller(priced(agent) if provider is not OLLAMA else agent, lambda: sold)


HTTP = pytest.mark.parametrize("provider", [ANTHROPIC, RESPONSES, CHAT], ids=lambda each: each.name)
EACH = pytest.mark.parametrize("provider", [ANTHROPIC, RESPONSES, CHAT, OLLAMA], ids=lambda each: each.name)


@HTTP
@pytest.mark.parametrize("most", [0.4, 2.5, 9.0])
def test_providers_hold_dollars(provider: Provider, most: float, tmp_path: Path) -> None:
    with provider_seller(provider) as seller:
        outcome = played(seller, tmp_path, "{}", max_cost_usd=most)
    require_held(outcome, seller.sold(), max_cost_usd=most)


@EACH
@pytest.mark.parametrize("budget", [30_000, 250_000])
def test_providers_hold_tokens(provider: Provider, budget: int, tmp_path: Path) -> None:
    with provider_seller(provider) as seller:
        outcome = played(seller, tmp_path, "{}", budget_tokens=budget)
    require_held(outcome, seller.sold(), budget_tokens=budget)


@EACH
def test_providers_hold_with_refused_answers_retries_and_child_workflows(
    provider: Provider, tmp_path: Path
) -> None:
    with provider_seller(provider, "no JSON") as seller:
        outcome = played(seller, tmp_path, SCHEMA, budget_tokens=400_000)
    require_held(outcome, seller.sold(), tries=2, budget_tokens=400_000)
    with provider_seller(provider, "no JSON") as seller:
        both = "{schema: {type: 'object'}, retry: {maxAttempts: 3}}"
        outcome = played(seller, tmp_path, both, below=True, budget_tokens=400_000)
    require_held(outcome, seller.sold(), tries=2, budget_tokens=400_000)


# ---- programs and mock -----------------------------------------------------------------------

CLAUDE = """import json, os, sys
words = sys.argv[1:]
prompt = sys.stdin.read()
budget = next((float(each.partition('=')[2]) for each in words if each.startswith('--max-budget-usd=')), 1e9)
model = 'claude-sonnet-4-5'
def write(**message):
    print(json.dumps(message), flush=True)
write(type='system', subtype='init', session_id='s', model=model, tools=[])
spent, usage = 0.0, {'input_tokens': 0, 'output_tokens': 0}
wanted = [(0.01, 100)] if 'cheap' in prompt else [(1.0, 60000)] * 3
with open(os.environ['LEDGER'], 'a') as ledger:
    for dollars, tokens in wanted:
        if spent >= budget:
            break
        spent += dollars
        usage['output_tokens'] += tokens
        ledger.write(json.dumps([os.getpid(), dollars, tokens]) + '\\n')
        ledger.flush()
        part = {'output_tokens': tokens}
        write(type='assistant', message={'id': str(spent), 'model': model, 'content': [], 'usage': part})
        write(type='user', message={'content': []})
    is_cut = spent < sum(dollars for dollars, _ in wanted)
write(type='result', subtype='error_max_budget_usd' if is_cut else 'success', is_error=is_cut, result='done',
      session_id='s', total_cost_usd=spent, usage=usage)
"""
CODEX = """import json, os, sys
prompt = sys.stdin.read()
tokens = 1000 if 'cheap' in prompt else 100000
with open(os.environ['LEDGER'], 'a') as ledger:
    ledger.write(json.dumps([os.getpid(), tokens * 1e-5, tokens]) + '\\n')
for message in ({'type': 'thread.started', 'thread_id': '01a22378-fe54-713c-9337-061207110cc8'},
                {'type': 'turn.started'},
                {'type': 'item.completed', 'item': {'id': 'i', 'type': 'agent_message', 'text': 'done'}},
                {'type': 'turn.completed', 'usage': {'input_tokens': 0, 'output_tokens': tokens}}):
    print(json.dumps(message), flush=True)
"""
COMMAND = """import json, os, sys
dollars = 0.01 if 'cheap' in sys.stdin.read() else 1.0
with open(os.environ['LEDGER'], 'a') as ledger:
    ledger.write(json.dumps([os.getpid(), dollars, int(dollars * 1e5)]) + '\\n')
told = {'costUsd': dollars, 'usage': {'input': 0, 'output': int(dollars * 1e5)}}
os.write(3, json.dumps(told).encode() + b'\\n')
print('done')
"""
# Spends cent by cent, no more than it may; it has an answer for a dollar only.
FRUGAL = """import json, os, sys
wanted = 1 if 'cheap' in sys.stdin.read() else 100
left = float(os.environ['FLOWCAGE_COST_LEFT'] or 1e9) * 100
left = min(left, float(os.environ['FLOWCAGE_TOKENS_LEFT'] or 1e9) / 1000)
spent = 0
while spent < wanted and spent + 1 <= left:
    spent += 1
with open(os.environ['LEDGER'], 'a') as ledger:
    ledger.write(json.dumps([os.getpid(), spent / 100, spent * 1000]) + '\\n')
told = {'costUsd': spent / 100, 'usage': {'input': 0, 'output': spent * 1000}}
os.write(3, json.dumps(told).encode() + b'\\n')
sys.exit(spent < wanted)
"""


def made(kind: str, folder: Path) -> Agent:
    """An agent whose program writes what it has sold to LEDGER."""
    scripts = {"claude": CLAUDE, "codex": CODEX, "command": COMMAND, "frugal": FRUGAL}
    program = folder / kind
    program.write_text(f"#!{sys.executable} -IS\n{scripts[kind]}")
    program.chmod(0o700)
    if kind in ("claude", "codex"):
        model = ":gpt-5.1" if kind == "codex" else ""
        return parse_agent(f"{kind}{model}", settings=AgentSettings(own={"program": str(program)}))
    own = {"keeps_to_share": True} if kind == "frugal" else {}
    return parse_agent(f"command:{program}", settings=AgentSettings(own=own))


def mock_seller() -> Seller:
    cheap = {"prompt": "cheap*", "answer": "a", "costUsd": 0.01, "tokens": 1000, "model": "m"}
    dear = {"prompt": "dear*", "answer": "a", "costUsd": 1.0, "tokens": 100_000, "model": "m"}
    sold: list[Sale] = []
    agent = mock(read_fixtures(json.dumps([cheap, dear]).encode(), "f"))

    async def answer(call: Any) -> Any:
        told = await agent(call)
        sold.append(Sale(told.cost_usd or 0.0, told.tokens))
        return told

    return Seller(answer, lambda: sold)


def sales_in(ledger: Path) -> list[Sale]:
    """What each run of a program has written down, by its process."""
    sold: dict[int, Sale] = {}
    for line in ledger.read_text().splitlines():
        process, usd, tokens = json.loads(line)
        before = sold.get(process, Sale(0.0, 0))
        sold[process] = Sale(before.usd + usd, before.tokens + tokens)
    return list(sold.values())


def seller_of(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Seller:
    if kind == "mock":
        return mock_seller()
    ledger = folder / "ledger"
    monkeypatch.setenv("LEDGER", str(ledger))
    monkeypatch.setenv("CODEX_HOME", str(folder))
    return Seller(made(kind, folder), lambda: sales_in(ledger))


LOCAL = pytest.mark.parametrize("kind", ["claude", "codex", "command", "frugal", "mock"])


@LOCAL
@pytest.mark.parametrize(
    "ceiling", [{"max_cost_usd": 2.5}, {"budget_tokens": 250_000}], ids=["usd", "tokens"]
)
@pytest.mark.parametrize("options", ["{}", RETRY], ids=["plain", "retry"])
def test_programs_and_mock_hold(
    kind: str, ceiling: dict[str, Any], options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seller = seller_of(kind, tmp_path, monkeypatch)
    outcome = played(seller, tmp_path, options, **ceiling)
    require_held(outcome, seller.sold(), is_ended=kind == "claude", **ceiling)


@LOCAL
def test_programs_and_mock_hold_in_child_workflows(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seller = seller_of(kind, tmp_path, monkeypatch)
    outcome = played(seller, tmp_path, "{}", below=True, max_cost_usd=2.5)
    require_held(outcome, seller.sold(), max_cost_usd=2.5)


@LOCAL
def test_a_tenants_ceiling_holds_for_programs_and_mock(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seller = seller_of(kind, tmp_path, monkeypatch)
    guarded = Seller(Purse(2.5).guarded(seller.agent), seller.sold)
    played(guarded, tmp_path, "{}")
    sold = seller.sold()
    assert 1.5 < sum(each.usd for each in sold) < 2.5 + max(each.usd for each in sold)


@HTTP
def test_a_tenants_ceiling_holds_for_providers(provider: Provider, tmp_path: Path) -> None:
    with provider_seller(provider) as seller:
        played(Seller(Purse(2.5).guarded(seller.agent), seller.sold), tmp_path, "{}")
    sold = seller.sold()
    assert sum(each.usd for each in sold) < 2.5 + max(each.usd for each in sold)


def test_claude_works_side_by_side_where_the_ceiling_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seller = seller_of("claude", tmp_path, monkeypatch)
    outcome = played(seller, tmp_path, "{}", max_cost_usd=60.0)
    assert outcome.report.census.completed == CHEAP + DEAR
    assert outcome.usage.cost_usd == pytest.approx(CHEAP * 0.01 + DEAR * 3.0)
