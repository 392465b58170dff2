"""Questions for people: put, answered by whoever comes first, and kept over every end of a host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, Host, Question, RunOptions, run_workflow
from flowcage.errors import CancelRequested, RequestRejected, WorkflowFailed
from flowcage.events import Event, QuestionAnswered, QuestionAsked
from flowcage.host.durable.errors import RunHasEnded, UnknownRun
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.questions import (
    AnswerDoesNotFit,
    QuestionNotOpen,
    find_question,
    open_questions,
)
from flowcage.host.run.core.inputs import Answered
from flowcage.host.run.options import Caller
from flowcage.host.run.past.hibernation import Hibernation
from flowcage.protocol.messages import Json, WorkflowRequest

DEADLINE_S = 300

SOURCE = """import { ask, sleep } from 'workflow:extra';
export default async () => {
  const name = await agent('name');
  const ships = await ask(`ship ${name}?`, {
    options: ['yes', { label: 'no, wait', value: { wait: 3 } }], label: 'release' });
  const [count, kid] = await Promise.all([
    ask('how many?', { schema: { type: 'integer', minimum: 1 } }), workflow('kid', { name })]);
  return { ships, count, kid, said: await ask('anything else?').catch((e) => `refused: ${e.message}`) };
};"""
KID = """import { ask } from 'workflow:extra';
export default async ({ name }) => [name, await ask('and the child?')];"""


async def kid(caller: Caller, request: WorkflowRequest) -> Json:
    assert isinstance(request.args, dict)
    return await caller.run_child(KID, "kid.js", request.args)


async def name(_call: AgentCall) -> AgentAnswer:
    return AgentAnswer("it")


def options(**more: Any) -> RunOptions:
    return RunOptions(agent=name, workflow=kid, timeout_seconds=DEADLINE_S, **more)


@asynccontextmanager
async def store_at(folder: Path) -> Any:
    store = SqliteStore.open(folder / "runs.db", durability="relaxed")
    try:
        yield store
    finally:
        await store.aclose()


class Asked:
    """A listener that lets a test wait until a question waits."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._news = trio.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()
        self._news = trio.Event()

    def questions(self) -> list[str]:
        return [event.question for event in self.events if isinstance(event, QuestionAsked)]

    async def until(self, count: int) -> None:
        with trio.fail_after(DEADLINE_S):
            while len(self.questions()) < count:
                await self._news.wait()


def test_questions_wait_for_answers_from_outside(tmp_path: Path) -> None:
    asked, outcomes = Asked(), list[Outcome]()

    async def run(host: Host) -> None:
        outcomes.append(await host.run(SOURCE, run_id="r", tenant="t"))

    async def main() -> None:
        async with store_at(tmp_path) as store, store_at(tmp_path) as other:
            async with Host(store=store, options=options(listener=asked)) as host, Host(store=other) as far:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(run, host)
                    await asked.until(1)
                    await until_kept(other, "2")
                    for wrong in ("maybe", True, None, {"wait": 4}):
                        with pytest.raises(
                            AnswerDoesNotFit, match=r"it is none of the options: .yes., .no, wait."
                        ):
                            await host.answer("r", "2", wrong, tenant="t")
                    with pytest.raises(UnknownRun):
                        await host.answer("r", "2", "yes", tenant="another")
                    with pytest.raises(UnknownRun):
                        await host.answer("s", "2", "yes", tenant="t")
                    with pytest.raises(QuestionNotOpen, match="has no request '9'"):
                        await host.answer("r", "9", "yes", tenant="t")
                    with pytest.raises(QuestionNotOpen, match=r"no question of ask.*of the kind agent"):
                        await host.answer("r", "1", "yes", tenant="t")
                    await host.answer("r", "2", {"wait": 3.0}, tenant="t")
                    await asked.until(3)
                    await until_kept(other, "3", "4/1")
                    with pytest.raises(QuestionNotOpen, match="2 is answered already; the first answer"):
                        await far.answer("r", "2", "yes", tenant="t")
                    with pytest.raises(AnswerDoesNotFit, match="0 is less than the minimum"):
                        await far.answer("r", "3", 0, tenant="t")
                    await far.answer("r", "3", 7, tenant="t")
                    await far.answer("r", "4/1", "child", tenant="t")
                    await asked.until(4)
                    await until_kept(other, "5")
                    await far.reject("r", "5", "no more", tenant="t")
                with pytest.raises(RunHasEnded):
                    await far.answer("r", "5", 1, tenant="t")
            assert await other.answers("r") == []

    trio.run(main)
    (outcome,) = outcomes
    assert outcome.result == {
        "ships": {"wait": 3},
        "count": 7,
        "kid": ["it", "child"],
        "said": "refused: no more",
    }
    assert sorted(asked.questions()) == ["and the child?", "anything else?", "how many?", "ship it?"]
    answers = [event for event in asked.events if isinstance(event, QuestionAnswered)]
    assert [event.to_json().get("message") for event in answers][-1] == "no more"
    assert answers[0].value == {"wait": 3}


def test_a_run_that_nobody_keeps_asks_its_handler_or_nobody() -> None:
    seen: list[Question] = []

    async def ask(question: Question) -> Json:
        seen.append(question)
        if question.question == "anything else?":
            raise RequestRejected("busy")
        if question.question == "how many?":
            return 0 if question.problem is None else 5
        return "yes" if question.options else "text"

    async def main() -> Outcome:
        return await run_workflow(SOURCE, options=options(ask=ask))

    outcome = trio.run(main)
    assert outcome.result == {"ships": "yes", "count": 5, "kid": ["it", "text"], "said": "refused: busy"}
    first = seen[0]
    assert (first.id, first.question, first.label) == ("2", "ship it?", "release")
    assert [(each.label, each.value) for each in first.options] == [
        ("yes", "yes"),
        ("no, wait", {"wait": 3}),
    ]
    assert {each.run_id for each in seen} == {outcome.report.run_id}
    assert "less than the minimum" in [each.problem or "" for each in seen if each.id == "3"][1]

    async def nobody() -> None:
        await run_workflow(SOURCE, options=options())

    with pytest.raises(WorkflowFailed, match="this host asks nobody"):
        trio.run(nobody)


def test_a_run_without_a_host_hears_what_it_is_given_from_outside(tmp_path: Path) -> None:
    source = """import { ask } from 'workflow:extra';
export default async () => [await ask('first?'), await ask('second?')];"""
    asked, errors = Asked(), list[CancelRequested]()

    async def run(store: SqliteStore) -> None:
        try:
            await run_workflow(source, options=options(listener=asked), store=store)
        except CancelRequested as error:
            errors.append(error)

    async def main() -> None:
        async with store_at(tmp_path) as store, store_at(tmp_path) as other:
            with trio.fail_after(DEADLINE_S):
                async with Host(store=other) as far, trio.open_nursery() as nursery:
                    nursery.start_soon(run, store)
                    await asked.until(1)
                    (summary,) = await far.runs(tenant="")
                    await until_kept(store, "1", run=summary.run_id)
                    await far.answer(summary.run_id, "1", "yes", tenant="")
                    await asked.until(2)
                    assert await far.cancel(summary.run_id, "enough", tenant="") == "asked"
            assert (await store.get(summary.run_id)).verdict == "cancelled"

    trio.run(main)
    assert [error.reason for error in errors] == ["enough"]
    assert [e.to_json().get("value") for e in asked.events if isinstance(e, QuestionAnswered)] == ["yes"]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "strin"}, "options.schema"),
        ({"$ref": "#/nowhere"}, "options.schema"),
        ({"minimum": "x"}, "options.schema"),
    ],
)
def test_a_schema_that_is_none_rejects(tmp_path: Path, schema: Json, why: str) -> None:
    source = """import { ask } from 'workflow:extra';
    export default (args) => ask('q', { schema: args }).catch((e) => e.message);"""

    async def main() -> Json:
        async with store_at(tmp_path) as store, Host(store=store, options=options()) as host:
            return (await host.run(source, args=schema)).result

    result = trio.run(main)
    assert isinstance(result, str)
    assert why in result


async def run_until_asked(store: SqliteStore, and_then: Callable[[], Awaitable[None]]) -> None:
    """The first life of a run, which is broken off at its first question."""
    asked = Asked()

    async def run() -> None:
        async with Host(store=store, options=options(listener=asked)) as host:
            await host.run(SOURCE, run_id="r", tenant="t")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await asked.until(1)
        await and_then()
        nursery.cancel_scope.cancel()


async def resumed(store: SqliteStore, answers: dict[str, Json]) -> Outcome:
    """The next life, to its end, with each answer as soon as it is asked for."""
    outcomes: list[Outcome] = []
    async with Host(store=store, options=options()) as host, trio.open_nursery() as nursery:

        async def run() -> None:
            outcomes.append(await host.resume("r", tenant="t"))

        nursery.start_soon(run)
        for request, value in answers.items():
            await answered(host, request, value)
    return outcomes[0]


async def answered(host: Host, request: str, value: Json) -> None:
    with trio.fail_after(DEADLINE_S):
        while True:
            try:
                await host.answer("r", request, value, tenant="t")
                return
            except QuestionNotOpen:
                await trio.sleep(0.005)


async def until_kept(store: SqliteStore, *requests: str, run: str = "r") -> None:
    """Wait until these questions are kept: a listener is told before."""
    with trio.fail_after(DEADLINE_S):
        while not {each.id for each in open_questions(await store.load(run))}.issuperset(requests):  # noqa: ASYNC110
            await trio.sleep(0.005)


@pytest.mark.parametrize("when", ["broken off", "answered while it was", "answered and broken off at once"])
def test_a_question_survives_the_end_of_its_host(tmp_path: Path, when: str) -> None:
    answers: dict[str, Json] = {"2": "yes", "4/1": 1, "3": 2, "5": "bye"}

    async def main() -> Outcome:
        async with store_at(tmp_path) as store, store_at(tmp_path) as other:

            async def and_then() -> None:
                if when == "answered and broken off at once":
                    await until_kept(other, "2")
                    await other.answer("r", Answered("2", answers.pop("2")))

            await run_until_asked(store, and_then)
            assert (await other.get("r")).state == "ended"
            if when == "answered while it was":
                await answer_what_is_asked(other)
                answers.pop("2")
        async with store_at(tmp_path) as store:
            return await resumed(store, answers)

    async def answer_what_is_asked(other: SqliteStore) -> None:
        question, _ = await find_question(other, "r", None, tenant="t")
        assert (question.id, question.question) == ("2", "ship it?")
        async with Host(store=other) as host:
            await host.answer("r", "2", "yes", tenant="t")
            with pytest.raises(QuestionNotOpen, match="when it goes on"):
                await host.answer("r", "2", "yes", tenant="t")

    outcome = trio.run(main)
    assert outcome.result == {"ships": "yes", "count": 2, "kid": ["it", 1], "said": "bye"}


def test_of_a_handler_and_an_answer_from_outside_the_first_counts(tmp_path: Path) -> None:
    withdrawn: list[str] = []

    async def ask(question: Question) -> Json:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            withdrawn.append(question.id)
            raise

    source = "import { ask } from 'workflow:extra';\nexport default () => ask('q');"

    async def main() -> None:
        asked = Asked()
        async with store_at(tmp_path) as store, store_at(tmp_path) as other:
            async with (
                Host(store=store, options=options(ask=ask, listener=asked)) as host,
                trio.open_nursery() as nursery,
            ):

                async def run() -> None:
                    assert (await host.run(source, run_id="r", tenant="t")).result == "outside"

                nursery.start_soon(run)
                await asked.until(1)
                await until_kept(store, "1")
                await host.answer("r", "1", "outside", tenant="t")

            async def too_late(question: Question) -> Json:
                await other.answer(question.run_id, Answered(question.id, "first"))
                return "second"

            async with Host(store=store, options=options(ask=too_late)) as host:
                assert (await host.run(source, run_id="s", tenant="t")).result == "first"
            entries = [each.input for each in (await store.load("s")).entries]
            assert [each for each in entries if isinstance(each, Answered)] == [Answered("1", "first")]

    trio.run(main)
    assert withdrawn == ["1"]


def test_a_run_that_waits_for_people_alone_sleeps_until_it_is_answered(tmp_path: Path) -> None:
    source = "import { ask } from 'workflow:extra';\nexport default () => ask('q');"
    asleep = trio.Event()
    outcomes: list[Outcome] = []

    def listen(event: Event) -> None:
        if event.to_json()["type"] == "asleep":
            asleep.set()

    async def main() -> None:
        async with store_at(tmp_path) as store, store_at(tmp_path) as other:
            policy = Hibernation(idle_seconds=0, min_wait_seconds=0, cpu_factor=0)
            given = options(listener=listen)
            async with (
                Host(store=store, options=given, hibernation=policy) as host,
                trio.open_nursery() as nursery,
            ):

                async def run() -> None:
                    outcomes.append(await host.run(source, run_id="r", tenant="t"))

                nursery.start_soon(run)
                with trio.fail_after(DEADLINE_S):
                    await asleep.wait()
                summary = await other.get("r")
                assert (summary.state, summary.wake_at) == ("asleep", None)
                async with Host(store=other) as far:
                    await far.answer("r", "1", "good morning", tenant="t")

    trio.run(main)
    assert outcomes[0].result == "good morning"
