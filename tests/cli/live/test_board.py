"""What is told of a run, as a table: the events, and the lines that they come to."""

from __future__ import annotations

import random

import pytest

from flowcage.host.cli.live.rows import sum_of
from flowcage.host.events import records
from flowcage.host.events.records import Event
from flowcage.host.resume.looking.telling import Left, Resumed

from .events import (
    answered,
    asked,
    board_of,
    cancelled,
    child,
    child_ended,
    ended,
    failed,
    phase,
    queued,
    refused,
    started,
    table,
    word,
)

ONE = [started(), phase(0, "One"), queued(0, "1", "a", "One")]
AT_WORK = [*ONE, asked(1, "1", "a", "One", model="opus")]
KID = [started(), phase(0, "One"), child(1, "k"), phase(1, "Kid", "k"), queued(1, "1", "x", "Kid", "k")]

# What happened, the time of the look, and the lines.
CASES: dict[str, tuple[list[Event], float, str]] = {
    "nothing yet": ([], 0, ""),
    "begun": ([started()], 2, "review.js  0:02  running"),
    "a phase without calls": ([started(), phase(1, "One")], 3, """
review.js  0:03  running
  One      0:02"""),
    "queued": (ONE, 1, """
review.js  0/1  0:01  running, 1 queued
  One      0/1  0:01  1 queued"""),
    "at work": (AT_WORK, 9, """
review.js  0/1  0:09  running, 1 at work
  One      0/1  0:09  1 at work
    a           0:08  opus"""),
    "without a label": ([started(), queued(0, "1"), asked(0, "1")], 1, """
review.js        0/1  0:01  running, 1 at work
  (no phase)     0/1  0:01  1 at work
    prompt of 1       0:01"""),
    "progress": ([*AT_WORK, word(2, "1", "reads", 1200, 0.5), word(3, "1", "writes")], 4, """
review.js  0/1  1.2k  $0.50  0:04  running, 1 at work
  One      0/1  1.2k  $0.50  0:04  1 at work
    a           1.2k  $0.50  0:03  opus, writes"""),
    "answered": ([*AT_WORK, answered(5, "1", 2000, 0.25)], 9, """
review.js  1/1  2.0k  $0.25  0:09  running
  One      1/1  2.0k  $0.25  0:05"""),
    "what progress told counts once": (
        [*AT_WORK, word(2, "1", None, 1500, 0.2), answered(5, "1", 2000, 0.25)], 9, """
review.js  1/1  2.0k  $0.25  0:09  running
  One      1/1  2.0k  $0.25  0:05"""),
    "a refused answer counts, and once": (
        [*AT_WORK, refused(2, "1", 1000, 0.1), word(3, "1", None, 1500, 0.15)], 4, """
review.js  0/1  1.5k  $0.15  0:04  running, 1 at work
  One      0/1  1.5k  $0.15  0:04  1 at work
    a           1.5k  $0.15  0:03  opus, answer refused, asked again"""),
    "a cost that nobody knows": ([*AT_WORK, answered(5, "1", 2000, None)], 9, """
review.js  1/1  2.0k  $?  0:09  running
  One      1/1  2.0k  $?  0:05"""),
    "an answer of another run": ([*ONE, answered(2, "1", 900, 0.1, cached=True)], 3, """
review.js  1/1  0:03  running, 1 reused
  One      1/1  0:02  1 reused"""),
    "to be retried": ([*AT_WORK, failed(4, "1", again=True, tokens=10)], 5, """
review.js  0/1  10  0:05  running, 1 queued
  One      0/1  10  0:05  1 queued"""),
    "asked again": (
        [*AT_WORK, failed(4, "1", again=True), asked(5, "1", "a", "One", attempt=2)], 7, """
review.js  0/1  0:07  running, 1 at work
  One      0/1  0:07  1 at work
    a           0:02  attempt 2"""),
    "failed": ([*AT_WORK, failed(4, "1")], 5, """
review.js  1/1  0:05  running, 1 failed
  One      1/1  0:04  1 failed"""),
    "refused before it began": ([*ONE, failed(1, "1", attempt=0)], 5, """
review.js  1/1  0:05  running, 1 failed
  One      1/1  0:01  1 failed"""),
    "cancelled": ([*AT_WORK, cancelled(4, "1")], 5, """
review.js  0/1  0:05  running, 1 cancelled
  One      0/1  0:04  1 cancelled"""),
    "a phase of its own": ([*ONE, queued(1, "2", "b", "Two"), answered(1, "2")], 2, """
review.js  1/2  0:02  running, 1 queued
  One      0/1  0:02  1 queued
  Two      1/1  0:00"""),
    "a child workflow": (KID, 3, """
review.js   0/1  0:03  running, 1 queued
  One            0:03
    kid.js  0/1  0:02  1 queued
      Kid   0/1  0:02  1 queued"""),
    "a child that is done is one row": (
        [*KID, answered(2, "1", 50, run="k"), child_ended(3, "k")], 9, """
review.js   1/1  50  0:09  running
  One                0:09
    kid.js  1/1  50  0:02"""),
    "a child that failed": ([*KID, child_ended(3, "k", "failed")], 9, """
review.js   0/1  0:09  running, 1 cancelled
  One            0:09
    kid.js  0/1  0:02  failed, 1 cancelled"""),
    "children of one name": ([started(), child(0, "k"), child(0, "l")], 1, """
review.js    0:01  running
  kid.js     0:01
  kid.js #2  0:01"""),
    "a sleep": ([started(), records.Sleeping("r", 1, "1", 90_000)], 11, """
review.js  0:11  running
  sleep    1:20  to go"""),
    "a sleep that is over": ([started(), records.Sleeping("r", 1, "1", 9_000)], 11,
                             "review.js  0:11  running"),
    "a question": ([started(), records.QuestionAsked("r", 1, "7", "k/7", "ship it?")], 2, """
review.js       0:02  running
  question k/7        ship it?"""),
    "a question that is answered": (
        [started(), records.QuestionAsked("r", 1, "7", "7", "?"), records.QuestionAnswered("r", 2, "7", "7")],
        2, "review.js  0:02  running"),
    "asleep": ([started(), records.FellAsleep("r", 1, "2026-11-28T12:00:00Z", 99)], 2,
               "review.js  0:02  asleep until 2026-11-28T12:00:00Z"),
    "asleep until somebody answers": ([started(), records.FellAsleep("r", 1, None, None)], 2,
                                      "review.js  0:02  asleep until it is answered"),
    "awake": ([started(), records.FellAsleep("r", 1, None, None), records.Awoke("r", 3, 2.0)], 3,
              "review.js  0:03  running"),
    "taken up": ([*AT_WORK, Resumed("r", 20, life=2)], 21, """
review.js  0/1  0:21  running, life 2, 1 at work
  One      0/1  0:21  1 at work
    a           0:20  opus"""),
    "asked anew by the next life": (
        [*AT_WORK, Resumed("r", 20, life=2), started(20), asked(20, "1", "a", "One")], 21, """
review.js  0/1  0:21  running, life 2, 1 at work
  One      0/1  0:21  1 at work
    a           0:01"""),
    "left by its process": ([*AT_WORK, Left("r", 7)], 900, """
review.js  0/1  0:07  interrupted, 1 at work
  One      0/1  0:07  1 at work
    a           0:06  opus"""),
    "done": ([*AT_WORK, answered(5, "1"), ended(6)], 900, """
review.js  1/1  0:06  done
  One      1/1  0:05"""),
    "ended with calls at work": ([*AT_WORK, ended(6, "timeout")], 900, """
review.js  0/1  0:06  timeout, 1 cancelled
  One      0/1  0:00  1 cancelled"""),
    "without its beginning": ([answered(9, "1"), asked(10, "2", "b", "One")], 11, """
run    0/1  0:11  running, 1 at work
  One  0/1  0:01  1 at work
    b       0:01"""),
    "a child without its beginning": ([started(), asked(1, "1", "x", "Kid", "k")], 2, """
review.js  0/1  0:02  running, 1 at work
  ?        0/1  0:01  1 at work
    Kid    0/1  0:01  1 at work
      x         0:01"""),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_events_come_to_lines(case: str) -> None:
    events, now, lines = CASES[case]
    assert table(events, now) == lines.strip("\n").splitlines()


def test_events_that_were_not_told_are_counted() -> None:
    assert board_of([started(), records.Gap("r", 1, 30), records.Gap("r", 2, 4)]).missing == 34


def random_events(seed: int) -> list[Event]:
    """Any events in any order, as a store that is damaged or a buffer with gaps may have them."""
    choice = random.Random(seed)
    made: list[Event] = []
    for at in range(200):
        call, run, title = str(choice.randrange(12)), choice.choice("rrkl"), choice.choice(["", "A", "B"])
        made.append(
            choice.choice(
                [
                    started(at),
                    phase(at, title, run),
                    queued(at, call, None, title, run),
                    asked(at, call, "x", title, run),
                    answered(at, call, 5, 0.1, run),
                    answered(at, call, 5, 0.1, run, cached=True),
                    failed(at, call, again=choice.random() < 0.5),
                    refused(at, call, 3),
                    cancelled(at, call),
                    word(at, call, "w", 9),
                    child(at, choice.choice("kl")),
                    child_ended(at, choice.choice("kl")),
                    records.Sleeping(run, at, call, 50_000),
                    Resumed("r", at, life=2),
                ]
            )
        )
    return made


@pytest.mark.parametrize("seed", range(50))
def test_counts_add_up_whatever_comes(seed: int) -> None:
    board = board_of([started(), *random_events(seed)])
    assert board.root is not None
    counted = sum_of(board.root)
    open_calls = sum(len(each.calls) for each in board.root.tree())
    assert counted.working + counted.queued == open_calls
    assert counted.total == counted.ended + counted.cancelled + open_calls
    assert counted.answered >= counted.reused
    board.take(ended(300))
    counted = sum_of(board.root)
    assert (counted.working, counted.queued) == (0, 0)
    assert counted.total == counted.ended + counted.cancelled


def test_a_board_is_bounded_whatever_a_workflow_calls_its_phases() -> None:
    events = [phase(0, f"{number} {'x' * 10_000}") for number in range(1500)]
    board = board_of([started(), *events])
    assert board.root is not None
    assert len(board.root.phases) == 1001
    assert max(map(len, board.root.phases)) == 300
    assert "further phases" in board.root.phases
