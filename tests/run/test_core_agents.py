"""``agent()`` in the core: attempts, tries, what a call without an answer becomes, and its events."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from flowcage.host.run.core.agents.calls import MAX_REFUSED_TEXT
from flowcage.host.run.core.commands import Ask, Tell
from flowcage.host.run.core.inputs import (
    Answered,
    Compiled,
    Dialect,
    Due,
    Failed,
    Heard,
    Input,
    Opened,
    Reason,
    Refused,
    Spent,
    Turn,
)
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import Budget, Ok, Rejected

from .core_inputs import (
    HANDLERS,
    RULES,
    Row,
    acts,
    agent,
    agents,
    answer,
    below,
    commands,
    events,
    play,
    refuse,
    retry,
    says,
    wrong,
)

TURN = Turn("")
ONE = Rules(max_agents=1, handlers=HANDLERS)
TIMEOUT = Refused("1", "too slow", Reason.TIMEOUT)
BAD_CALL = Refused("1", "no schema", Reason.BAD_CALL)
FAILED = Failed("", "no")

ATTEMPTS: dict[str, tuple[Rules, Row, list[str]]] = {
    "without a retry the first refusal counts": (
        RULES,
        [agents(1), refuse(1), TURN],
        ["ask 1", "ready", "tell 1!busy"],
    ),
    "a refused call is asked again": (
        RULES,
        [agents(1, retry=retry(2)), refuse(1), Due("1"), answer(1), TURN],
        ["ask 1", "wake 1 at 2", "ask 1 attempt 2", "ready", "tell 1=yes"],
    ),
    "each wait is twice the one before": (
        RULES,
        [
            agents(1, retry=retry(4, 100)),
            refuse(1),
            Due("1"),
            refuse(1),
            Due("1"),
            refuse(1),
            Due("1"),
            refuse(1),
        ],
        [
            *(
                "ask 1",
                "wake 1 at 2.1",
                "ask 1 attempt 2",
                "wake 1 at 4.2",
                "ask 1 attempt 3",
                "wake 1 at 6.4",
            ),
            *("ask 1 attempt 4", "ready"),
        ],
    ),
    "no wait is longer than maxSleepMs": (
        RULES._replace(max_sleep_ms=150),
        [agents(1, retry=retry(3, 100)), refuse(1), Due("1"), refuse(1)],
        ["ask 1", "wake 1 at 2.1", "ask 1 attempt 2", "wake 1 at 4.15"],
    ),
    "a wait gives the place back": (
        ONE,
        [says(agent(1, retry=retry(2, 100)), agent(2)), refuse(1), Due("1"), answer(2)],
        ["ask 1", "wake 1 at 2.1", "ask 2", "ready", "ask 1 attempt 2"],
    ),
    "a further attempt waits behind those who wait": (
        ONE,
        [says(agent(1, retry=retry(2)), agent(2), agent(3)), refuse(1), Due("1"), answer(2), answer(3)],
        ["ask 1", "wake 1 at 2", "ask 2", "ready", "ask 3", "ask 1 attempt 2"],
    ),
    "what passes its time is asked again": (
        RULES,
        [agents(1, retry=retry(2)), TIMEOUT, Due("1")],
        ["ask 1", "wake 1 at 2", "ask 1 attempt 2"],
    ),
    "a call that is wrong is not asked again": (
        RULES,
        [agents(1, retry=retry(3)), BAD_CALL],
        ["ask 1", "ready"],
    ),
    "a late answer to an attempt that has failed is nothing": (
        RULES,
        [agents(1, retry=retry(2)), refuse(1), answer(1), refuse(1), Due("1"), Due("1")],
        ["ask 1", "wake 1 at 2", "ask 1 attempt 2"],
    ),
    "a wrong answer has a second try that keeps the place": (
        ONE,
        [agents(2), wrong(1), answer(1)],
        ["ask 1", "ask 1 try 2", "ready", "ask 2"],
    ),
    "an answer that is heard settles nothing, and its check does": (
        ONE,
        [agents(2), Heard("1", "x"), answer(1), TURN],
        ["ask 1", "ready", "ask 2", "tell 1=yes"],
    ),
    "an answer that is heard may be refused": (
        ONE,
        [agents(2), Heard("1", "x"), wrong(1), Heard("1", "y"), answer(1)],
        ["ask 1", "ask 1 try 2", "ready", "ask 2"],
    ),
    "there is no third try": (
        RULES,
        [agents(1), wrong(1), wrong(1), TURN],
        ["ask 1", "ask 1 try 2", "ready", "tell 1!the agent gave no valid answer in 2 tries"],
    ),
    "each attempt has two tries": (
        RULES,
        [agents(1, retry=retry(2)), wrong(1), wrong(1), Due("1"), wrong(1), wrong(1)],
        ["ask 1", "ask 1 try 2", "wake 1 at 3", "ask 1 attempt 2", "ask 1 attempt 2 try 2", "ready"],
    ),
    "a second try that is refused is the end of its attempt": (
        RULES,
        [agents(1, retry=retry(2)), wrong(1), refuse(1), Due("1")],
        ["ask 1", "ask 1 try 2", "wake 1 at 3", "ask 1 attempt 2"],
    ),
    "terms that are none are a wrong call": (
        RULES,
        [agents(1, retry=5), TURN],
        ["ready", "tell 1!options.retry must be an object, such as {maxAttempts"],
    ),
    "no agent is asked for terms that are none": (
        ONE,
        [says(agent(1, timeoutMs="soon"), agent(2)), TURN],
        ["ready", "ask 2", "tell 1!options.timeoutMs must be a number from 1 to 31536000000, not a str"],
    ),
}


@pytest.mark.parametrize(("rules", "inputs", "expected"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_how_often_an_agent_is_asked(rules: Rules, inputs: Row, expected: list[str]) -> None:
    assert acts(inputs, rules) == expected


def test_a_question_has_all_that_whoever_answers_needs() -> None:
    first, second = commands(
        [agents(1, timeoutMs=500, phase="p"), wrong(1, "5")], RULES._replace(watched=False)
    )

    assert isinstance(first, Ask)
    assert (first.id, first.path, first.kind.name, first.phase, first.problem) == (
        "1",
        "",
        "agent",
        "p",
        None,
    )
    assert (first.request, first.timeout_ms) == (agent(1, timeoutMs=500, phase="p"), 500)
    assert second == first._replace(tries=2, problem="no number", refused="5")


FAILURES: dict[str, tuple[Input, bool]] = {  # and whether it may become null
    "refused": (refuse(1), True),
    "too slow": (TIMEOUT, True),
    "a bad call": (BAD_CALL, False),
}


@pytest.mark.parametrize(("given", "may_be_null"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("dialect", [*get_args(Dialect), None])
@pytest.mark.parametrize("option", ["null", "throw", None])
def test_a_call_without_an_answer_is_null_or_throws(
    option: Any, dialect: Dialect | None, given: Input, may_be_null: bool
) -> None:
    rules = RULES._replace(agent_failure=option)
    inputs: Row = [Compiled("", dialect), agents(1, label="tests"), given, TURN]
    is_null = may_be_null and (option == "null" or (option is None and dialect == "script"))

    message = given.message  # type: ignore[union-attr]
    assert acts(inputs, rules)[-1] == ("tell 1=None" if is_null else f"tell 1!{message}")
    notes = play(inputs, rules)[0].tree.workflows[""].kept.diagnostics.entries
    told = f"agent 1 (tests) failed and became null: {message}"
    assert notes == (
        [{"kind": "agent_failed", "message": told, "id": "1", "label": "tests"}] if is_null else []
    )


def test_a_call_that_is_wrong_in_itself_throws_in_scripts_too() -> None:
    inputs: Row = [Compiled("", "script"), agents(1, retry=5), TURN]

    assert acts(inputs, RULES._replace(agent_failure="null"))[-1].startswith("tell 1!options.retry must be")


def test_each_workflow_of_a_tree_has_the_dialect_of_its_own() -> None:
    inputs: Row = [
        says(agent(1), below(2)),
        Opened("2", "b.js", "2"),
        Compiled("2", "script"),
        says(agent(1), path="2"),
        refuse("1"),
        refuse("2/1"),
        TURN,
        Turn("2"),
    ]

    assert acts(inputs)[-2:] == ["tell 1!busy", "2: tell 1=None"]


@pytest.mark.parametrize("failure", ["null", "throw"])
def test_the_last_answer_that_was_refused_is_kept_with_its_tries(failure: Any) -> None:
    inputs: Row = [agents(1), wrong(1, "four"), wrong(1, "5")]
    rules = RULES._replace(agent_failure=failure)

    refused = [members for name, members in events(inputs, rules) if name == "answer_refused"]
    assert [(each["text"], each["tries"], each["attempt"]) for each in refused] == [
        ("four", 1, 1),
        ("5", 2, 1),
    ]
    (failed,) = (members for name, members in events(inputs, rules) if name == "agent_failed")
    assert (failed["refused_text"], failed["tries"], failed["attempt"]) == ("5", 2, 1)
    (tell,) = (each for each in commands([*inputs, TURN], rules) if isinstance(each, Tell))
    thrown = Rejected("the agent gave no valid answer in 2 tries: no number; the last answer was: 5")
    assert tell.resolves[0].resolution == (Ok(None, Budget()) if failure == "null" else thrown)
    (note,) = play(inputs, rules)[0].tree.workflows[""].kept.diagnostics.entries
    assert (note["kind"], note["refusedText"], note["tries"]) == ("agent_failed", "5", 2)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (None, ""),
        ("x" * MAX_REFUSED_TEXT, "x" * MAX_REFUSED_TEXT),
        ("x" * 9_999, "x" * MAX_REFUSED_TEXT + "…"),
    ],
)
def test_of_a_long_answer_that_was_refused_the_beginning_is_kept(text: str | None, kept: str) -> None:
    assert events([agents(1), wrong(1, text)])[-1][1]["text"] == kept


def test_a_new_attempt_knows_nothing_of_the_answers_before() -> None:
    inputs: Row = [agents(1, retry=retry(2)), wrong(1, "4"), wrong(1, "5"), Due("1"), refuse(1)]

    assert events(inputs)[-1][1]["refused_text"] is None


HEARD = Heard("1", "x", Spent(3, 0.5, 2.0), {"model": "m"})


def heard_of(row: Row) -> Heard | None:
    core, _ = play(row)
    call = core.tree.call("1")
    assert call is not None
    return call.heard


def test_what_is_heard_is_there_until_the_call_is_asked_again() -> None:
    agents_1 = agents(1, retry=retry(2))

    assert heard_of([agents_1, HEARD]) == HEARD
    assert heard_of([agents_1, HEARD, Heard("1", "another", Spent(9))]) == HEARD
    assert heard_of([agents_1, HEARD, wrong(1)]) is None
    assert heard_of([agents_1, HEARD, refuse(1), Due("1")]) is None


def test_events_of_an_answer_have_what_it_cost_when_it_was_heard() -> None:
    good = Answered("1", "x", Spent(0, 0.0, 0.25), {"model": "m"})
    bad = Refused("1", "no", Reason.WRONG_ANSWER, "x", Spent(0, 0.0, 0.25))
    late = Refused("1", "too slow", Reason.TIMEOUT, spent=Spent(seconds=7.0))

    told = dict(events([agents(1), HEARD, good]))["agent_completed"]
    assert (told["tokens"], told["cost_usd"], told["seconds"]) == (3, 0.5, 2.25)
    assert dict(events([agents(1), HEARD, bad]))["answer_refused"]["tokens"] == 3
    failed = dict(events([agents(1), HEARD, bad, HEARD, bad]))["agent_failed"]
    assert failed["seconds"] == 2.25
    assert dict(events([agents(1), HEARD, late]))["agent_failed"]["seconds"] == 7.0  # of the whole attempt
