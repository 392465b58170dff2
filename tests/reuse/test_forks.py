"""Forks of real runs: what is asked again, what is not, what is refused, and what is left in the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.errors import RunIsReused, UnknownRun
from flowcage.host.durable.history.forms import withhold_prompts
from flowcage.host.durable.reuse.terms import NotForkable, Terms
from flowcage.host.resume.reuse.forks import fork_of
from flowcage.host.run.core.inputs import Reused

from .forks import KID, Forks, on_store

SOURCE = """const parts = await parallel([1, 2, 3].map((i) => () => agent('part ' + i, {label: 'l' + i})));
await SW.extra.sleep(1);
const kids = await parallel(['x', 'y'].map((n) => () => workflow('kid', {n})));
export default {parts, kids, last: await agent('last at ' + budget.spent())};"""
TWO_KIDS = ["read x", "read y"]


def test_a_fork_of_an_unchanged_workflow_asks_nobody_and_neither_does_a_fork_of_that(tmp_path: Path) -> None:
    async def work(forks: Forks) -> None:
        first = await forks.run("a", SOURCE)
        assert len(forks.newly_asked()) == 10
        for name, of in (("b", "a"), ("c", "b"), ("d", "c")):
            outcome = await forks.fork(name, of)
            assert outcome.result == first.result
            assert (outcome.usage.agents, outcome.usage.tokens) == (0, 0)
            assert (outcome.usage.reused_agents, outcome.usage.reused_tokens) == (10, 100)
            assert outcome.census.reused == 10
        assert forks.newly_asked() == []
        answers = [each.input for each in (await forks.record("b")).entries if isinstance(each.input, Reused)]
        assert {each.run for each in answers} == {"a"}
        assert len(answers) == 7  # of the child workflows only their results

    on_store(tmp_path, work)


def test_an_edited_child_workflow_is_guided_by_its_old_self_also_where_its_result_was_reused(
    tmp_path: Path,
) -> None:
    async def work(forks: Forks) -> None:
        await forks.run("a", SOURCE)
        await forks.fork("b", "a")
        await forks.fork("c", "b")
        forks.newly_asked()
        forks.kid = KID.replace("'look at ' + i", "(i === 2 ? 'stare at ' : 'look at ') + i")
        outcome = await forks.fork("d", "c")
        assert sorted(each[:10] for each in forks.newly_asked()) == ["stare at 2", "stare at 2"]
        assert (outcome.usage.agents, outcome.usage.reused_agents) == (2, 8)
        inputs = [each.input for each in (await forks.record("d")).entries if isinstance(each.input, Reused)]
        assert {each.run for each in inputs} == {"a", "c"}

    on_store(tmp_path, work)


def test_only_what_had_failed_is_asked_again(tmp_path: Path) -> None:
    async def work(forks: Forks) -> None:
        forks.fails = {"part 2"}
        source = SOURCE.replace("export default ", "return ")
        await forks.run("a", source)
        forks.fails = set()
        forks.newly_asked()
        outcome = await forks.fork("b", "a")
        assert isinstance(outcome.result, dict)
        assert forks.newly_asked()[0] == "part 2"
        assert outcome.census.reused >= 8

    on_store(tmp_path, work)


def test_refusals_by_a_cap_are_not_reused(tmp_path: Path) -> None:
    async def work(forks: Forks) -> None:
        source = "return await parallel([1, 2, 3].map((i) => () => agent('p' + i)));"
        await forks.run("a", source, max_total_agents=1)
        assert forks.newly_asked() == ["p1"]
        await forks.fork("b", "a", max_total_agents=2)
        assert forks.newly_asked() == ["p2", "p3"]  # the first counts no more

    on_store(tmp_path, work)


@pytest.mark.parametrize(
    ("terms", "asked"),
    [
        (Terms(at=1), ["a", "b", "c"]),
        (Terms(at=2), ["b", "c"]),
        (Terms(at=4), []),
        (Terms(from_call="2"), ["b", "c"]),
        (Terms(answers={"2": "other"}), []),
        (Terms(at=1, answers={"1": "<1 a>"}), ["b", "c"]),
    ],
)
def test_a_fork_from_some_point_on_asks_what_came_later(
    tmp_path: Path, terms: Terms, asked: list[str]
) -> None:
    async def work(forks: Forks) -> None:
        source = "export default [await agent('a'), await agent('b'), await agent('c')];"
        await forks.run("a", source)
        forks.newly_asked()
        outcome = await forks.fork("b", "a", terms=terms)
        assert forks.newly_asked() == asked
        if terms.answers.get("2"):
            assert outcome.result == ["<1 a>", "other", "<3 c>"]
            assert [each.input.replaced for each in (await forks.record("b")).entries
                    if isinstance(each.input, Reused)] == [False, True, False]  # fmt: skip

    on_store(tmp_path, work)


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        (Terms(at=5), "the run has 3 turns, so it can be forked at 1 to 4, not at 5"),
        (Terms(from_call="9"), "the run has no call '9'; it has 1, 2, 3"),
        (Terms(answers={"1": 1, "3/1": 2}), "the run has no call '3/1'"),
    ],
)
def test_what_the_run_does_not_have_is_refused(tmp_path: Path, terms: Terms, why: str) -> None:
    async def work(forks: Forks) -> None:
        await forks.run("a", "export default [await agent('a'), await agent('b'), await agent('c')];")
        with pytest.raises(NotForkable, match=why):
            await forks.fork("b", "a", terms=terms)
        with pytest.raises(UnknownRun):
            await fork_of(forks.store, "a", Terms(), tenant="another")
        with pytest.raises(UnknownRun):
            await forks.fork("b", "nobody")
        assert [each.run_id for each in await forks.store.runs()] == ["a"]

    on_store(tmp_path, work)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (5, 'call 1 does not take this answer: .*5 is not of type "string"'),
        ("ab", "call 1 does not take this answer: "),
        ("other", None),
    ],
)
def test_a_replaced_answer_is_held_to_the_schema_of_its_call(
    tmp_path: Path, answer: Any, why: str | None
) -> None:
    source = "export default await agent('a', { schema: { type: 'string', minLength: 3 } })"

    async def work(forks: Forks) -> None:
        await forks.run("a", source)
        terms = Terms(answers={"1": answer})
        if why is None:
            assert (await forks.fork("b", "a", terms=terms)).result == "other"
            return
        with pytest.raises(NotForkable, match=why):
            await forks.fork("b", "a", terms=terms)
        assert [each.run_id for each in await forks.store.runs()] == ["a"]

    on_store(tmp_path, work)


@pytest.mark.parametrize("number", range(1, 4))
def test_a_fork_that_was_interrupted_is_resumed_strictly(tmp_path: Path, number: int) -> None:
    source = SOURCE.replace("'part '", "(i === 1 ? 'piece ' : 'part ')")

    async def work(forks: Forks) -> None:
        await forks.run("a", SOURCE)
        forks.kid = KID.replace("'look at ' + i", "(i === 2 ? 'stare at ' : 'look at ') + i")
        forks.newly_asked()
        whole = await forks.fork("whole", "a", source)
        calls, answers = forks.newly_asked(), whole.census.reused
        assert len(calls) == 3
        forks.answered.clear()
        with trio.CancelScope() as scope:

            def on_call(_call: Any) -> None:
                if len(forks.asked) == number:
                    scope.cancel()

            forks.on_call = on_call
            await forks.fork("b", "a", source)
        forks.on_call = lambda _call: None
        assert len(forks.newly_asked()) >= number
        assert len(forks.answered) < len(calls)
        outcome = await forks.resume("b")
        assert outcome.census.reused == answers
        assert sorted(forks.answered) == sorted(calls)  # each once, in both lives together
        assert set(forks.newly_asked()) <= set(calls)

    on_store(tmp_path, work)


def test_a_run_that_goes_on_is_forked_with_what_is_there(tmp_path: Path) -> None:
    async def work(forks: Forks) -> None:
        reached = trio.Event()

        def on_call(call: Any) -> None:
            if call.prompt == "b" and call.run_id == "a":
                reached.set()

        forks.on_call = on_call
        source = "const one = await agent('a'); export default [one, await agent('b')];"
        agent = forks.agent

        async def waits(call: Any) -> Any:
            answer = await agent(call)
            if call.prompt == "b" and call.run_id == "a":
                await trio.sleep_forever()
            return answer

        forks.agent = waits  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(forks.run, "a", source)
            await reached.wait()
            forks.newly_asked()
            await forks.fork("b", "a")
            assert forks.newly_asked() == ["b"]
            nursery.cancel_scope.cancel()

    on_store(tmp_path, work)


def test_a_workflow_that_asks_the_same_for_ever_has_each_answer_once(tmp_path: Path) -> None:
    async def work(forks: Forks) -> None:
        await forks.run("a", "export default await agent('a');")
        forks.newly_asked()
        looping = "while (true) await agent('a').catch(() => 0);"
        with pytest.raises(Exception, match="maxTotalAgents"):
            await forks.fork("b", "a", looping, max_total_agents=3)
        assert forks.newly_asked() == ["a"] * 3
        explanation = await forks.explain("a", looping)
        assert [each.reused for each in explanation.calls] == ["1", None]
        assert explanation.calls[1].why == "asked 1 time before, 2 times now"
        assert forks.newly_asked() == []

    on_store(tmp_path, work)


def test_a_run_that_is_reused_is_not_removed(tmp_path: Path) -> None:
    async def work(forks: Forks) -> None:
        await forks.run("a", "export default await agent('a');")
        await forks.fork("b", "a")
        with pytest.raises(RunIsReused):
            await forks.store.delete("a")
        await forks.store.delete("b")
        await forks.store.delete("a")

    on_store(tmp_path, work)


def test_withheld_prompts_match_by_their_digests(tmp_path: Path) -> None:
    async def work(forks: Forks) -> None:
        await forks.run("a", SOURCE)
        forks.newly_asked()
        await forks.fork("b", "a")
        assert forks.newly_asked() == []
        explanation = await forks.explain("a", SOURCE.replace("'part '", "'piece '"))
        assert {each.why for each in explanation.calls} == {
            f"#{n}: prompt differs; it was not stored" for n in (1, 2, 3)
        }

    on_store(tmp_path, work, redact=withhold_prompts)


def test_another_agent_or_another_model_of_a_phase_is_asked(tmp_path: Path) -> None:
    source = """export const meta = {name: 'w', phases: [{title: 'A', model: 'small'}]};
    return await agent('a', {phase: 'A'});"""

    async def work(forks: Forks) -> None:
        await forks.run("a", source, agent_identity="one")
        forks.newly_asked()
        await forks.fork("b", "a", agent_identity="one")
        assert forks.newly_asked() == []
        await forks.fork("c", "a", agent_identity="two")
        assert forks.newly_asked() == ["a"]
        larger = source.replace("small", "large")
        explanation = await forks.explain("a", larger, agent_identity="one")
        assert [each.why for each in explanation.calls] == ['#1: options.model: "small" -> "large"']
        await forks.fork("d", "a", larger, agent_identity="one")
        assert forks.newly_asked() == ["a"]

    on_store(tmp_path, work)


def test_a_trial_asks_nobody_and_keeps_nothing(tmp_path: Path) -> None:
    async def work(forks: Forks) -> None:
        await forks.run("a", SOURCE)
        forks.newly_asked()
        explanation = await forks.explain("a", SOURCE.replace("'last", "'Last"))
        assert forks.newly_asked() == []
        assert (explanation.reused, explanation.answers, explanation.is_complete) == (9, 10, False)
        assert [each.why for each in explanation.calls if each.why] == [
            "#7: prompt differs at character 0: 'last at 90' -> 'Last at 90'"
        ]
        whole = await forks.explain("a")
        assert (whole.reused, whole.is_complete, whole.error) == (10, True, None)
        broken = await forks.explain("a", "throw Error('no')")
        assert broken.error is not None
        assert [each.run_id for each in await forks.store.runs()] == ["a"]

    on_store(tmp_path, work)
