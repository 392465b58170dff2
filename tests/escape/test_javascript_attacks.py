"""JavaScript at its worst: each run ends with the right verdict, and costs nobody else anything."""

from __future__ import annotations

import pytest
import trio

from flowcage.host import Limits, RunError, RunOptions, run_workflow
from flowcage.host.outcome.verdict import Verdict

from ..host.children import Launcher
from .bystander import answer, bystander
from .javascript_attacks import FAMILIES, LIMITS, OPTIONS, STALLS, Attack

# On two cores more would only make each other late.
AT_ONCE = 4
# At least one for each guard; the rest of a family meets the same ones, and is tried by the thorough test.
USUAL = {
    "natives": {
        "toJSON of the result loops",
        "toString of what is thrown loops",
        "long array becomes text",
        "indexOf",
        "regular expression backtracks",
        "BigInt becomes text",
        "sort by a comparator that loops",
        "native loops with a long step",
    },
    "swallowers": {
        "catch in a loop",
        "finally that continues",
        "iterator's return",
        "microtasks without end",
        "thenable that loops",
        "rejections caught without end",
    },
    "memory": {
        "array of texts",
        "repeat",
        "replaceAll",
        "ArrayBuffer",
        "Map",
        "arguments without end",
        "proxy with a million keys",
        "chain of promises",
        "result that shares",
        "caught and begun again",
    },
    "recursion": {
        "function",
        "toJSON",
        "nest of iterator helpers",
        "nest of bound functions",
        "nest of proxies",
        "chain of prototypes",
        "nest of generators",
        "result that is deep",
        "log that is deep",
        "JSON.parse",
        "regular expression",
        "cause of a cause",
        "source",
        "catch at the end of the stack",
        "thenables",
    },
    "floods": {
        "log",
        "log of control characters",
        "agent",
        "agent once too often",
        "diagnostics",
        "message of an error",
        "result",
        "asking for ever",
        "logging for ever",
        "work between answers",
    },
    "stalls": set(STALLS),
}


async def verdict_on(attack: Attack, launcher: Launcher) -> Verdict:
    """Run one attack, which must not have a result."""
    limits = Limits(**{**LIMITS, **attack.limits})
    given = {"agent": answer, "launcher": launcher, "limits": limits, **OPTIONS, **attack.options}
    with pytest.raises(RunError) as caught:
        await run_workflow(attack.source, options=RunOptions(**given))
    assert caught.value.report.verdict is caught.value.verdict
    return caught.value.verdict


async def verdicts_on(attacks: dict[str, Attack], launchers: dict[str, Launcher]) -> dict[str, Verdict]:
    """Run all attacks, a few at once, while well-behaved runs go on beside them."""
    verdicts: dict[str, Verdict] = {}
    places = trio.CapacityLimiter(AT_ONCE)

    async def attempt(name: str, attack: Attack) -> None:
        async with places:
            verdicts[name] = await verdict_on(attack, launchers[name])

    async with bystander(launchers["bystander"]), trio.open_nursery() as nursery:
        for name, attack in attacks.items():
            nursery.start_soon(attempt, name, attack)
    return verdicts


def hold(attacks: dict[str, Attack]) -> None:
    launchers = {name: Launcher() for name in (*attacks, "bystander")}
    verdicts = trio.run(verdicts_on, attacks, launchers)
    wrong = {name: str(verdicts[name]) for name in attacks if verdicts[name] not in attacks[name].verdicts}
    assert wrong == {}
    for launcher in launchers.values():
        launcher.assert_nothing_left()


@pytest.mark.parametrize("family", FAMILIES)
def test_each_attack_ends_with_its_verdict_and_leaves_nothing_while_others_are_served(family: str) -> None:
    hold({name: attack for name, attack in FAMILIES[family].items() if name in USUAL[family]})


@pytest.mark.thorough
@pytest.mark.parametrize("family", [family for family in FAMILIES if FAMILIES[family].keys() - USUAL[family]])
def test_the_other_attacks_of_a_family_end_in_the_same_way(family: str) -> None:
    hold({name: attack for name, attack in FAMILIES[family].items() if name not in USUAL[family]})


def test_those_that_are_always_tried_are_attacks() -> None:
    assert {family: names - FAMILIES[family].keys() for family, names in USUAL.items()} == {
        family: set() for family in FAMILIES
    }
