"""`replay` does what so many `advance` with one turn each do, and hands out what each of them would have."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from flowcage.child.sandbox.replay import gathered
from flowcage.protocol.limits import Limits

from .twins import Twins

MIB = 1 << 20
Turn = list[dict[str, Any]]

# What it asks for depends on the order and the grouping of its answers, and on the budget.
TANGLED = """
const order = [];
const ask = async (name) => { order.push(await agent(name + order.length)); log(name, budget.spent()); };
const all = [ask('a'), ask('b'), ask('c')];
all.push((async () => { await ask('d'); await ask('e' + order.length); })());
for (let i = 0; i < 12; i++) {
  if (order.length % 3 === 0) { phase('p' + i); all.push(ask('more' + order.length)); }
  await Promise.race(all.splice(0, 2));
  await ask('next' + i);
}
return order;"""


def turn(*answers: tuple[str, Any], spent: int = 0) -> Turn:
    budget = {"total": None, "spent": spent}
    return [
        {"id": each, "resolution": {"type": "ok", "value": value, "budget": budget}}
        for each, value in answers
    ]


def one_by_one(source: str, turns: list[Turn], **params: Any) -> list[dict[str, Any]]:
    twins = Twins()
    twins.run(source, **params)
    return [twins.ask("advance", {"turns": [each]}) for each in turns]


def at_random(seed: int) -> list[Turn]:
    """Turns for the tangled workflow, as many as it takes."""
    rng, twins = random.Random(seed), Twins()
    told: list[Turn] = []
    said = twins.run(TANGLED)["result"]
    waiting: list[str] = []
    while True:
        waiting += [each["id"] for each in said["requests"]]
        if said["state"] == "complete" or not waiting:
            return told
        chosen = rng.sample(waiting, rng.randint(1, min(3, len(waiting))))
        waiting = [each for each in waiting if each not in chosen]
        told.append(turn(*((each, f"<{each}>") for each in chosen), spent=len(told)))
        said = twins.ask("advance", {"turns": told[-1:]})["result"]


def as_turns(said: dict[str, Any]) -> list[list[Any]]:
    """The requests of each turn that was carried out."""
    requests, found = list(said["requests"]), []
    for count in said["counts"]:
        found.append(requests[:count])
        del requests[:count]
    assert not requests
    return found


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_each_turn_hands_out_what_it_hands_out_alone(seed: int, at_once: int) -> None:
    turns = at_random(seed)
    alone = [each["result"] for each in one_by_one(TANGLED, turns)]
    twins, calls, state = Twins(), [], dict[str, Any]()
    found: list[list[Any]] = []
    twins.run(TANGLED)
    while len(found) < len(turns):
        state = twins.ask("replay", {"turns": turns[len(found) :][:at_once]})["result"]
        assert state["counts"]
        found += as_turns(state)
        calls += state["calls"]
    assert found == [each["requests"] for each in alone]
    assert calls == [call for each in alone for call in each["calls"]]
    last = {name: value for name, value in state.items() if name != "counts"}
    assert (last["state"], last.get("output")) == (alone[-1]["state"], alone[-1].get("output"))
    assert state["counts"] == [0]  # the end of a run is answered alone
    assert twins.short.short > 1


def test_a_request_that_a_later_turn_settles_is_handed_out() -> None:
    twins = Twins()
    twins.run("await agent('a'); await agent('b'); await agent('c'); return 1")
    said = twins.ask("replay", {"turns": [turn(("1", 1)), turn(("2", 2))]})["result"]
    assert [each["prompt"] for each in said["requests"]] == ["b", "c"]
    assert said["counts"] == [1, 1]


def test_a_turn_with_a_request_that_nobody_made_is_not_carried_out() -> None:
    twins = Twins()
    twins.run("log(await agent('a')); log(await agent('b')); return 1")
    turns = [turn(("1", "A")), turn(("9", "x"), ("2", "B")), turn(("2", "B"))]
    said = twins.ask("replay", {"turns": turns})["result"]
    assert (said["counts"], said["calls"]) == ([1], [{"type": "log", "values": ["A"]}])
    refused = twins.ask("replay", {"turns": turns[1:]})["error"]["data"]
    assert (refused["kind"], refused["id"], refused["turn"]) == ("unknown_request", "9", 0)
    assert twins.ask("replay", {"turns": turns[2:]})["result"]["state"] == "complete"


FAILS = "agent('left'); await agent('a'); {} await agent('b'); {} return 1"


@pytest.mark.parametrize(
    ("first", "second"),
    [("", "throw Error('x');"), ("", "log('x'); throw Error('x');"), ("", "for (;;) agent('x');")],
)
def test_a_failure_comes_where_it_comes_alone(first: str, second: str) -> None:
    source = FAILS.format(first, second)
    turns = [turn(("2", 1)), turn(("3", 2))]
    alone = one_by_one(source, turns)
    twins = Twins()
    twins.run(source)
    assert twins.ask("replay", {"turns": turns})["result"]["counts"] == [1]
    again = twins.ask("replay", {"turns": turns[1:]})
    if "error" in alone[1]:
        assert again["error"] == alone[1]["error"]
    else:
        counts = again["result"].pop("counts")
        assert counts == [len(again["result"]["requests"])]
        assert again["result"] == alone[1]["result"]
        assert again["result"]["more"]
    assert twins.ask("replay", {"turns": turns[1:]})["error"]["data"]["kind"] == "unknown_request"
    assert "error" in twins.ask("drain", {})


def test_a_heap_that_a_turn_fills_ends_the_run_at_that_turn() -> None:
    twins = Twins(Limits()._replace(memory_bytes=4 * MIB, step_timeout_ms=15_000))
    twins.run(
        "await agent('a'); const x = await agent('b'); const y = []; for (;;) y.push(new Array(999).fill(x))"
    )
    turns = [turn(("1", 1)), turn(("2", 2))]
    assert twins.ask("replay", {"turns": turns})["result"]["counts"] == [1]
    assert twins.ask("replay", {"turns": turns[1:]})["error"]["data"]["kind"] == "memory"


def test_each_turn_has_a_step_of_its_own() -> None:
    source = """for (let i = 0; i < 6; i++) {
      await agent('a'); const end = args.spin; let n = 0; for (let k = 0; k < end; k++) n += k; } return 1"""
    for spin, kind in ((20_000, "complete"), (1_000_000_000, "timeout")):
        twins = Twins(Limits()._replace(step_timeout_ms=400))
        twins.run(source, args={"spin": spin})
        turns = [turn((str(number), 1)) for number in range(1, 7)]
        said = twins.ask("replay", {"turns": turns})
        if kind == "timeout":
            assert said["error"]["data"]["kind"] == "timeout"
        else:
            assert said["result"]["counts"] == [1] * 5
            assert twins.ask("replay", {"turns": turns[5:]})["result"]["state"] == "complete"


def test_what_is_queued_in_each_turn_may_take_all_that_may_be_queued() -> None:
    twins = Twins(Limits()._replace(max_queued_bytes=50_000))
    twins.run("for (let i = 0; i < 9; i++) { await agent('a'); log('x'.repeat(30000)); } return 1")
    said = twins.ask("replay", {"turns": [turn((str(number), 1)) for number in range(1, 9)]})["result"]
    assert len(said["calls"]) == 8


@pytest.mark.parametrize("text", ["'x'", "'\\u4f60'"])
@pytest.mark.parametrize("size", [10_000, 60_000, 300_000])
def test_an_answer_fits_into_a_line_if_those_to_single_turns_do(text: str, size: int) -> None:
    limits = Limits()._replace(max_message_bytes=1_000_000)
    asks = f"await agent({text}.repeat(i % 2 ? {size} : 40_000) + i)"
    source = f"for (let i = 0; i < 20; i++) {asks}; return {text}.repeat({size});"
    turns = [turn((str(number), 1)) for number in range(1, 21)]
    twins = Twins(limits)
    found: list[list[Any]] = []
    twins.run(source)
    while len(found) < 20:
        found += as_turns(twins.ask("replay", {"turns": turns[len(found) :]})["result"])
    assert [len(each) for each in found] == [1] * 19 + [0]


def test_a_replay_is_answered_before_it_has_gathered_too_much() -> None:
    twins = Twins()
    twins.run("for (;;) await agent('x'.repeat(100_000));")
    said = twins.ask("replay", {"turns": [turn((str(number), 1)) for number in range(1, 20)]})["result"]
    assert len(said["counts"]) == -(-gathered.FULL // 100_000)


def test_sites_are_the_authors_and_of_what_is_outstanding() -> None:
    twins = Twins()
    twins.run(
        "const f = () => agent('in f');\nagent('a');\n"
        "  await Promise.all([f(), workflow('w'), SW.extra.sleep(5)]);"
    )
    said = twins.ask("sites", {})["result"]["sites"]
    assert [(each["id"], each["line"]) for each in said] == [("1", 2), ("2", 1), ("3", 3), ("4", 3)]
    assert [said[0]["column"], said[2]["column"]] == [1, 27]
    assert said[3]["column"] > 27
    twins.ask("replay", {"turns": [turn(("2", 1), ("3", 1))]})
    assert [each["id"] for each in twins.ask("sites", {})["result"]["sites"]] == ["1", "4"]


def test_a_line_that_is_no_replay_is_refused_alike() -> None:
    wrong: list[dict[str, Any]] = [
        {}, {"turns": []}, {"turns": [[]]}, {"turns": [turn(("1", 1)), []]}, {"turns": [turn(("1", 1)), 5]},
        {"turns": [turn(("1", 1)), [{"id": 1, "resolution": {"type": "ok_undefined"}}]]},
        {"turns": [turn(("1", 1)), [{"id": "2", "resolution": {"type": "maybe"}}]]},
        {"turns": [[{"id": "1", "resolution": {"type": "ok", "value": 1, "budget": {"total": 5.0}}}]]},
    ]  # fmt: skip
    for params in wrong:
        twins = Twins()
        twins.run("await agent('a'); return await agent('b')")
        assert twins.ask("replay", params)["error"]["data"]["kind"] == "invalid_params", json.dumps(params)
        assert twins.ask("replay", {"turns": [turn(("1", 1))]})["result"]["counts"] == [1]
