"""What agents cost, as a user sees it: ceilings, an account without credit, and the bill afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..agents.servers import anthropic
from ..agents.servers.loopback import Server
from .command import Finished, flowcage

MODEL = "claude-opus-4-5"
# Of one answer of the server, by the model's prices of a million tokens.
COST = (120 * 5 + 7 * 25 + 30 * 0.5 + 10 * 6.25) / 1e6
SOURCE = """export const meta = {name: 'costs', description: 'Three calls'};
phase('One');
const first = await agent('first');
phase('Two');
return [first, ...await parallel(['a', 'b'].map((prompt) => () => agent(prompt)))];"""
WIDE = """export const meta = {name: 'wide', description: 'Five calls at once'};
return await parallel([1, 2, 3, 4, 5].map((n) => () => agent('call ' + n)));"""


@pytest.fixture
def server() -> Iterator[Server]:
    with anthropic.server() as served:
        yield served


class Shell:
    """The command in a folder with a workflow and a store, with an account of the server's."""

    def __init__(self, folder: Path, server: Server, source: str) -> None:
        self.folder = folder
        self.env = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "sk-loopback"}
        (folder / "w.js").write_text(source)

    def run(self, *words: str, model: str = MODEL) -> Finished:
        return self("run", "w.js", "--agent", f"anthropic:{model}", *words)

    def __call__(self, *words: str) -> Finished:
        return flowcage(*words, "--store", self.folder / "runs.db", cwd=self.folder, env=self.env)


def test_an_account_without_credit_halts_the_run_and_the_rest_is_asked_later(
    tmp_path: Path, server: Server
) -> None:
    shell = Shell(tmp_path, server, SOURCE)
    no_credit = anthropic.error(400, "invalid_request_error", "Your credit balance is too low")
    server.then(anthropic.says("done"), no_credit, no_credit)
    halted = shell.run()
    assert halted.status == 75
    told = halted.json
    run_id = told["runId"]
    assert told["verdict"] == told["error"]["kind"] == "agents_unavailable"
    assert "credit balance is too low" in told["error"]["message"]
    assert told["usage"]["costUsd"] == pytest.approx(COST)
    assert "log in, or see to the credit and the quota of the account" in halted.stderr
    assert f"resume with: flowcage resume {run_id}" in halted.stderr

    shown = shell("show", run_id).stdout
    assert "agents_unavailable" in shown
    assert f"model     {MODEL}: 1 answer, 127 tokens, $0.0009" in shown
    assert "tokens    120 read, 7 written, 30 from a cache, 10 into a cache" in shown

    asked = len(server.requests)
    resumed = shell("resume", run_id)
    assert resumed.status == 0
    usage = resumed.json["usage"]
    assert len(server.requests) == asked + 2
    assert usage["costUsd"] == pytest.approx(3 * COST)
    assert (usage["inputTokens"], usage["cacheReadTokens"], usage["unpriced"]) == (360, 90, 0)
    assert usage["byPhase"]["Two"]["costUsd"] == pytest.approx(2 * COST)
    assert usage["byModel"][MODEL]["answers"] == 3
    of_show = shell("show", run_id, "--json").json["usage"]
    assert of_show["byModel"][MODEL] == usage["byModel"][MODEL] | {
        "costUsd": pytest.approx(3 * COST, abs=1e-9)
    }
    listed = shell("ls", "--costs").stdout.splitlines()
    assert listed[0].split() == ["RUN", "BEGUN", "STATE", "TOKENS", "COST", "WORKFLOW"]
    assert listed[1].split()[-3:] == ["381", "$0.0026", "w.js"]


def test_a_ceiling_in_dollars_is_held_within_one_call(tmp_path: Path, server: Server) -> None:
    told = Shell(tmp_path, server, WIDE).run("--max-cost", "0.002").json
    assert told["census"] | {"completed": 3, "refused": 2} == told["census"]
    assert told["usage"]["costUsd"] == pytest.approx(3 * COST)
    assert len(server.requests) == 3
    refused = "agent() is refused: $0.0026 of the run's ceiling of $0.002 are spent"
    assert [note["message"].partition(": ")[2] for note in told["diagnostics"]] == [refused] * 2


def test_a_hard_budget_is_held_within_one_call(tmp_path: Path, server: Server) -> None:
    told = Shell(tmp_path, server, WIDE).run("--budget", "300").json
    assert told["census"] | {"completed": 3, "refused": 2} == told["census"]
    assert told["usage"]["tokens"] == 3 * 127


def test_with_a_ceiling_a_model_without_a_price_is_asked_once(tmp_path: Path, server: Server) -> None:
    shell = Shell(tmp_path, server, WIDE)
    told = shell.run("--max-cost", "$5", model="later-model").json
    assert told["census"] | {"completed": 1, "refused": 4} == told["census"]
    assert (told["usage"]["costUsd"], told["usage"]["unpriced"]) == (0.0, 1)
    kinds = [note["kind"] for note in told["diagnostics"]]
    assert sorted(kinds) == [*["agent_failed"] * 4, "unpriced_model"]
    shown = shell("show", told["runId"]).stdout
    assert "model     later-model: 1 answer, 127 tokens, $?" in shown
    assert "cost      what 1 answer cost is not known" in shown


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        ("0", "not in the range"),
        ("-1", "not in the range"),
        ("nan", "not a finite number"),
        ("x", "not a valid"),
    ],
)
def test_a_ceiling_that_is_no_amount_is_a_usage_error(tmp_path: Path, amount: str, why: str) -> None:
    (tmp_path / "w.js").write_text(WIDE)
    ended = flowcage("run", "w.js", "--no-store", "--max-cost", amount, cwd=tmp_path)
    assert ended.status == 2
    assert "--max-cost" in ended.stderr
    assert why in ended.stderr


def test_mock_costs_nothing_under_a_ceiling(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(WIDE)
    told: Any = flowcage(
        "run", "w.js", "--no-store", "--agent", "mock", "--max-cost", "0.01", cwd=tmp_path
    ).json
    assert told["census"]["completed"] == 5
    assert (told["usage"]["costUsd"], told["usage"]["unpriced"]) == (0.0, 0)
