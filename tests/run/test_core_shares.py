"""Shares of a ceiling: who gets how much, and that nothing goes beyond it by more than one call."""

from __future__ import annotations

import random
from typing import Any

import pytest

from flowcage.host.run.core.agents.spending import Left
from flowcage.host.run.core.commands import Ask
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import (
    Answered,
    Charged,
    Heard,
    Input,
    Opened,
    Reason,
    Refused,
    Spent,
    Told,
    Turn,
)
from flowcage.host.run.core.rules import Rules

from .core_inputs import HANDLERS, Row, acts, agents, below, events, play, retry, says, wrong

USD = Rules(handlers=HANDLERS, max_cost_usd=1.0, paced=True, shared=True)
TOKENS = Rules(handlers=HANDLERS, budget_tokens=100, paced=True, shared=True)


def paid(identifier: int | str, usd: float | None = 0.0, tokens: int = 0) -> Answered:
    return Answered(str(identifier), "yes", Spent(tokens, usd))


def short(identifier: int | str, spent: float = 0.0, *, usd: float | None, tokens: int = 0) -> Refused:
    facts: Any = {"needs": {"usd": usd, "tokens": tokens}}
    return Refused(str(identifier), "more", Reason.SHARE, None, Spent(0, spent), facts)


def left(inputs: Row, identifier: int | str, rules: Rules = USD) -> Left:
    return play(inputs, rules)[0].tree.left(str(identifier))


def at_work(inputs: Row, rules: Rules = USD) -> list[str]:
    return sorted(play(inputs, rules)[0].tree.books.shares.taken)


FIVE: list[Input] = [agents(5)]
ALL = Left(None, 1.0)


def share(usd: float) -> Left:
    return Left(None, usd, is_share=True)


@pytest.mark.parametrize(
    ("inputs", "shares"),
    [
        (FIVE, {1: ALL}),
        ([*FIVE, paid(1, 0.1)], {2: share(0.45), 3: share(0.45)}),  # half of what is left
        ([*FIVE, paid(1, 0.1), paid(2, 0.1)], {3: share(0.45), 4: share(0.266666667)}),
        ([*FIVE, paid(1, 0.3)], {2: share(0.6)}),  # twice the dearest, beside which another has no room
        ([*FIVE, paid(1, 0.4)], {2: Left(None, 0.6)}),  # not even that: alone, whatever it costs
        ([*FIVE, paid(1, 0.1), Told("2", Spent(0, 0.7))], {2: share(0.7), 3: share(0.45)}),
        ([*FIVE, paid(1, 0.1), Charged("2", Spent(0, 0.25))], {2: share(0.2), 3: share(0.45)}),
        ([*FIVE, paid(1, 0.1), Heard("2", "x", Spent(0, 0.25))], {2: share(0.2), 3: share(0.45)}),
        ([*FIVE, paid(1, 0.1), short(2, usd=0.5)], {3: share(0.45)}),
        ([*FIVE, paid(1, 0.1), short(2, usd=0.5), paid(3, 0.1)], {2: share(0.5), 4: share(0.266666667)}),
        ([*FIVE, paid(1, 0.1), short(2, usd=None), paid(3, 0.1)], {2: Left(None, 0.8)}),
        ([*FIVE, paid(1, 0.1), short(2, 0.3, usd=0.0), paid(3, 0.1)], {2: Left(None, 0.5)}),
    ],
)
def test_what_those_at_work_may_spend(inputs: list[Input], shares: dict[int, Left]) -> None:
    assert at_work(inputs) == [str(each) for each in shares]
    for identifier, expected in shares.items():
        assert left(inputs, identifier) == expected


def test_where_there_was_one_call_at_a_time_the_next_may_spend_all_that_is_left() -> None:
    row: list[Input] = [agents(1), paid(1, 0.1), Turn(""), agents(2, 2)]
    assert left(row, 2) == Left(None, 0.9)
    row = [agents(2), paid(1, 0.1), paid(2, 0.1), Turn(""), agents(3, 3)]
    assert left(row, 3) == share(0.4)  # another may come at any time


@pytest.mark.parametrize("rules", [USD, TOKENS])
def test_a_share_that_is_too_small_is_no_attempt(rules: Rules) -> None:
    row: Row = [*FIVE, paid(1, 0.1, 10), short(2, usd=0.5, tokens=50), paid(3, 0.0)]
    assert acts(row, rules).count("ask 2") == 2
    assert [kind for kind, _ in events(row, rules) if kind == "agent_failed"] == []
    core, _ = play(row, rules)
    assert core.tree.workflows[""].calls["2"].attempt == 1
    assert core.tree.totals.started == len([each for each in acts(row, rules) if each.startswith("ask")]) - 1


def test_what_a_share_that_was_used_up_has_cost_is_charged_and_is_no_retry() -> None:
    row: Row = [agents(5, retry=retry(2)), paid(1, 0.1), short(2, 0.4, usd=0.0)]
    told = [members for kind, members in events(row, USD) if kind == "agent_failed"]
    assert [(each["will_retry"], each["cost_usd"]) for each in told] == [(True, 0.4)]
    core, _ = play(row, USD)
    assert (core.tree.totals.cost_usd, core.tree.workflows[""].calls["2"].cut_short) == (0.5, 1)


def test_a_second_try_has_a_share_of_its_own_or_is_not_made() -> None:
    assert acts([*FIVE, paid(1, 0.1), wrong(2)], USD)[-1] == "ask 2 try 2"
    dear = Refused("2", "no", Reason.WRONG_ANSWER, "5", Spent(0, 0.4))
    assert "ask 2 try 2" not in acts([*FIVE, paid(1, 0.1), dear], USD)


class Agents:
    """Agents that keep to their shares, and cost anything where they are held to none."""

    def __init__(self, seed: int, rules: Rules) -> None:
        self.dice = random.Random(seed)
        self.core = Core(rules)
        self.now = 0.0
        self.dearest = 0.0
        self.spent = 0.0
        self.asked: list[Ask] = []
        self.begun: set[str] = set()

    def give(self, given: Input) -> None:
        self.now += 1
        for each in self.core.step(self.now, given):
            if isinstance(each, Ask) and each.kind.name == "agent":
                self.asked.append(each)

    def spend(self, asked: Ask) -> None:
        """Answer, fail, or be killed and asked again by the next life, for as much as the agent may spend."""
        may = self.core.tree.left(asked.id)
        wanted = self.dice.choice((0.01, 0.3, 1.0, 2.0))
        most = may.cost_usd
        assert most is not None
        cost = round(min(wanted, most) if may.is_share else wanted, 9)
        fate = self.dice.randrange(8)
        if may.is_share and wanted > most and fate < 6:
            told = self.dice.choice((0.0, cost))
            self.pay(told)
            self.give(short(asked.id, told, usd=self.dice.choice((0.0, wanted, None))))
            return
        self.pay(cost)
        if fate == 0:
            self.give(Charged(asked.id, Spent(0, cost)))
            if self.core.tree.books.refusal() is None:
                self.asked.append(asked)
            else:
                self.give(Refused(asked.id, "the ceiling is reached"))
        elif fate == 1:
            self.give(Refused(asked.id, "no", spent=Spent(0, cost)))
        elif fate == 2:
            self.give(Refused(asked.id, "no", Reason.WRONG_ANSWER, "5", Spent(0, cost)))
        else:
            self.give(paid(asked.id, cost))

    def pay(self, cost: float) -> None:
        self.spent += cost
        self.dearest = max(self.dearest, cost)


@pytest.mark.parametrize("seed", range(60))
def test_a_run_spends_less_than_its_ceiling_and_one_call(seed: int) -> None:
    """Whatever calls cost that are held to no share: retries, second tries, kills, child workflows."""
    rules = USD._replace(max_cost_usd=5.0, max_agents=8)
    played = Agents(seed, rules)
    played.give(Opened("", "main.js"))
    played.give(says(below(1), *agents(40, 2, retry=retry(3)).requests))
    played.give(Opened("1", "kid.js", "1"))
    played.give(says(*agents(40, retry=retry(2)).requests, path="1"))
    while played.asked:
        played.spend(played.asked.pop(played.dice.randrange(len(played.asked))))
    assert played.spent == pytest.approx(played.core.tree.totals.cost_usd)
    # One call is all of its questions: a second try, and what is asked again after a kill.
    assert 4.0 < played.spent < 5.0 + 2 * played.dearest


def test_forty_equal_calls_soon_work_side_by_side() -> None:
    core, _ = play([agents(40)], USD._replace(max_cost_usd=20.0))
    asked, now, rounds = ["1"], 1.0, []
    while asked:
        rounds.append(len(asked))
        found = []
        for identifier in asked:
            now += 1
            found += [e.id for e in core.step(now, paid(identifier, 0.1)) if isinstance(e, Ask)]
        asked = found
    assert rounds == [1, 2, 4, 7, 14, 12]
