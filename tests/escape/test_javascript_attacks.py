"""JavaScript at its worst: each run ends with the right verdict, and costs nobody else anything."""

from __future__ import annotations

import pytest
import trio

from flowcage.host import Limits, RunError, RunOptions, run_workflow
from flowcage.host.outcome.verdict import Verdict

from ..host.children import Launcher
from .bystander import answer, bystander
from .javascript_attacks import FAMILIES, LIMITS, OPTIONS, Attack

# On two cores more would only make each other late.
AT_ONCE = 4


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


@pytest.mark.parametrize("family", FAMILIES)
def test_each_attack_ends_with_its_verdict_and_leaves_nothing_while_others_are_served(family: str) -> None:
    attacks = FAMILIES[family]
    launchers = {name: Launcher() for name in (*attacks, "bystander")}
    verdicts = trio.run(verdicts_on, attacks, launchers)
    wrong = {name: str(verdicts[name]) for name in attacks if verdicts[name] not in attacks[name].verdicts}
    assert wrong == {}
    for launcher in launchers.values():
        launcher.assert_nothing_left()
