"""The rules of a run in its row: read as they were written, or refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowcage.host import RunOptions
from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.sql.rows import encoded_rules, rules_of
from flowcage.host.run.core.rules import Rules

ALL = RunOptions(
    budget_tokens=7, hard_budget=False, max_cost_usd=1.5, agent_failure="null", listener=print
).rules(frozenset({"agent", "ask"}))


@pytest.mark.parametrize(
    "rules",
    [
        Rules(),
        RunOptions().rules(frozenset()),
        ALL,
        ALL._replace(max_cost_usd=2),
        ALL._replace(max_cost_usd=None),
    ],
)
def test_rules_are_read_as_they_were_written(rules: Rules) -> None:
    assert rules_of("run", encoded_rules(rules)) == rules


def test_rules_of_before_there_were_ceilings_hold_nothing_back() -> None:
    old = json.loads(encoded_rules(ALL))
    del old["max_cost_usd"], old["paced"], old["shared"]
    assert rules_of("run", json.dumps(old)) == ALL._replace(max_cost_usd=None, paced=False, shared=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_cost_usd", 0),
        ("max_cost_usd", -1),
        ("max_cost_usd", True),
        ("max_cost_usd", "5"),
        ("max_cost_usd", float("inf")),
        ("max_cost_usd", float("nan")),
        ("paced", 1),
        ("paced", None),
        ("shared", "yes"),
        ("budget_tokens", 1.5),
        ("agent_failure", "maybe"),
    ],
)
def test_a_rule_that_none_can_be_is_refused_by_name(name: str, value: Any) -> None:
    damaged = json.dumps(json.loads(encoded_rules(ALL)) | {name: value})
    with pytest.raises(DamagedEntry, match=f"its rule {name} cannot be"):
        rules_of("run", damaged)
