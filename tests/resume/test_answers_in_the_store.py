"""Answers that another program has put into the store: one that its question does not take is dropped."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import Host, Question, RunOptions
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.given import ANSWER_NOT_TAKEN
from flowcage.host.run.core.inputs import Answered, Refused
from flowcage.protocol.messages import Json

from .test_questions import DEADLINE_S, Asked, store_at

TERMS: dict[str, tuple[str, Json, Json, str]] = {
    "options": ("{options: ['yes', 'no']}", "maybe", "no", "it is none of the options"),
    "a schema": ("{schema: {type: 'integer'}}", "1", 1, "is not of type"),
    "a schema for a process": ("{schema: {type: 'string', pattern: '^a'}}", "ba", "ab", "does not match"),
    "a schema that is none": ("{schema: {type: 'integer'}}", {"a": [1]}, 2, "is not of type"),
    "size": ("{}", "x" * 100_000, "short", "are more than maxMessageBytes"),
}


def source(terms: str) -> str:
    return f"import {{ ask }} from 'workflow:extra'; export default async () => ask('what?', {terms});"


def options(listener: Any = None, **more: Any) -> RunOptions:
    limits = RunOptions().limits._replace(max_message_bytes=65_536)
    return RunOptions(listener=listener, limits=limits, timeout_seconds=DEADLINE_S, **more)


def notes(outcome: Outcome) -> list[tuple[Any, str]]:
    return [
        (each["id"], str(each["message"]))
        for each in outcome.report.diagnostics
        if each["kind"] == ANSWER_NOT_TAKEN
    ]


async def until_taken(store: SqliteStore, value: Json) -> None:
    """Put an answer into the store as soon as it is the first."""
    with trio.fail_after(DEADLINE_S):
        while not await store.answer("r", Answered("1", value)):  # noqa: ASYNC110
            await trio.sleep(0.005)


@pytest.mark.parametrize("name", TERMS)
def test_a_wrong_answer_leaves_its_question_open(tmp_path: Path, name: str) -> None:
    terms, wrong, right, why = TERMS[name]
    asked, outcomes = Asked(), list[Outcome]()

    async def main() -> None:
        async with store_at(tmp_path) as store, store_at(tmp_path) as other:
            async with Host(store=store, options=options(asked)) as host, trio.open_nursery() as nursery:

                async def run() -> None:
                    outcomes.append(await host.run(source(terms), run_id="r"))

                nursery.start_soon(run)
                await asked.until(1)
                for value in (wrong, wrong, right):
                    await until_taken(other, value)
            assert await other.answers("r") == []

    trio.run(main)
    [outcome] = outcomes
    assert outcome.result == right
    told = notes(outcome)
    assert [identifier for identifier, _ in told] == ["1", "1"]
    assert "an answer to question 1 that was put into the store is not taken: " in told[0][1]
    assert why in told[0][1]


def test_a_refusal_is_taken(tmp_path: Path) -> None:
    asked = Asked()

    async def main() -> Outcome:
        text = "import { ask } from 'workflow:extra'; export default ask('what?').catch((e) => e.message);"
        async with (
            store_at(tmp_path) as store,
            store_at(tmp_path) as other,
            Host(store=store, options=options(asked)) as host,
        ):
            handle = await host.start(text, run_id="r")
            await asked.until(1)
            await other.answer("r", Refused("1", "nobody knows"))
            return await handle.outcome()

    assert trio.run(main).result == "nobody knows"


def test_a_run_that_was_broken_off_judges_what_came_meanwhile(tmp_path: Path) -> None:
    text = source("{schema: {type: 'integer'}}")

    async def main() -> Outcome:
        async with store_at(tmp_path) as store:
            asked = Asked()
            async with Host(store=store, options=options(asked)) as host, trio.open_nursery() as nursery:
                nursery.start_soon(lambda: host.run(text, run_id="r"))
                await asked.until(1)
                nursery.cancel_scope.cancel()
        async with store_at(tmp_path) as store:
            assert await store.answer("r", Answered("1", "no number"))
        async with (
            store_at(tmp_path) as store,
            store_at(tmp_path) as other,
            Host(store=store, options=options()) as host,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(until_taken, other, 5)
            return await host.resume("r")

    outcome = trio.run(main)
    assert outcome.result == 5
    assert [identifier for identifier, _ in notes(outcome)] == ["1"]


def test_the_answer_of_a_handler_counts_where_the_one_before_it_is_wrong(tmp_path: Path) -> None:
    async def main() -> Outcome:
        async with store_at(tmp_path) as store, store_at(tmp_path) as other:

            async def handler(_question: Question) -> Json:
                assert await other.answer("r", Answered("1", "no number"))
                return 7

            async with Host(store=store, options=options(ask=handler)) as host:
                return await host.run(source("{schema: {type: 'integer'}}"), run_id="r")

    outcome = trio.run(main)
    assert outcome.result == 7
    assert len(notes(outcome)) == 1


def test_the_answer_of_a_handler_counts_where_the_one_before_it_is_dropped_meanwhile(tmp_path: Path) -> None:
    class Late(SqliteStore):
        """Tells of another answer only when that one is dropped."""

        def answer(self, run_id: str, answer: Answered | Refused) -> Any:
            return self._late(run_id, super().answer(run_id, answer))

        async def _late(self, run_id: str, ticket: Awaitable[bool]) -> bool:
            is_first = await ticket
            while not is_first and await self.answers(run_id):  # noqa: ASYNC110
                await trio.sleep(0.001)
            return is_first

    async def main() -> Outcome:
        async with store_at(tmp_path) as store, store_at(tmp_path) as other:
            store.__class__ = Late

            async def handler(_question: Question) -> Json:
                assert await other.answer("r", Answered("1", "no number"))
                return 7

            with trio.fail_after(DEADLINE_S):
                async with Host(store=store, options=options(ask=handler)) as host:
                    return await host.run(source("{schema: {type: 'integer'}}"), run_id="r")

    assert trio.run(main).result == 7
