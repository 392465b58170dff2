"""Lines above a frame, on a terminal that can be read, is stopped, or becomes narrower."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios

import pytest

from flowcage.host.terminal.screen import Frame, Screen

from .emulator import Emulator, terminal


def screen_on(emulator: Emulator) -> Screen:
    return Screen(emulator.slave, lambda count: f"{count} dropped", 1 << 16)


def frame(*rows: str) -> Frame:
    return Frame(tuple(row.encode() for row in rows), tuple(map(len, rows)))


def test_a_frame_is_drawn_in_the_place_of_the_one_before() -> None:
    with terminal() as emulator:
        screen = screen_on(emulator)
        screen.draw(frame("one", "two", "three"))
        emulator.read_until(lambda lines: lines == ["one", "two", "three"])
        screen.draw(frame("ONE", "t"))
        emulator.read_until(lambda lines: lines == ["ONE", "t"])
        assert emulator.cursor == (2, 0)
        screen.draw(None)
        emulator.read_until(lambda lines: lines == [""])
        assert emulator.shows_cursor


def test_lines_scroll_above_the_frame() -> None:
    with terminal(rows=6) as emulator:
        screen = screen_on(emulator)
        screen.draw(frame("table", "row"))
        for number in range(20):
            screen.write(b"line %d\n" % number)
            screen.draw(frame("table", f"row {number}"))
        screen.write(b"x" * 200 + b"\n")  # three of the terminal's lines
        emulator.read_until(lambda lines: lines[-3:] == ["x" * 40, "table", "row 19"])
        assert emulator.scrolled == [
            *(f"line {number}" for number in range(20)),
            *("x" * 80, "x" * 80, "x" * 40),
            *("table", "row 19"),
        ]


def test_a_row_that_is_wider_than_thought_is_cut_and_moves_nothing() -> None:
    with terminal(columns=20) as emulator:
        screen = screen_on(emulator)
        screen.draw(Frame((b"y" * 50, b"row"), (9, 3)))
        emulator.read_until(lambda lines: lines[-1] == "row")
        screen.draw(frame("one", "two"))
        emulator.read_until(lambda lines: lines == ["one", "two"])
        screen.write(b"z" * 30 + b"\n")  # lines wrap as ever
        emulator.read_until(lambda lines: lines == ["z" * 20, "z" * 10, "one", "two"])


def test_a_frame_that_settles_stays_as_text() -> None:
    with terminal() as emulator:
        screen = screen_on(emulator)
        screen.draw(frame("table"))
        screen.settle(frame("done"))
        screen.write(b"behind it\n")
        emulator.read_until(lambda lines: lines == ["done", "behind it"])


def test_what_was_drawn_before_the_terminal_had_other_text_is_left_alone() -> None:
    with terminal() as emulator:
        screen = screen_on(emulator)
        screen.draw(frame("table"))
        emulator.read_until(lambda lines: lines == ["table"])
        os.write(emulator.slave, b"$ of a shell\n")
        screen.forget()
        screen.draw(frame("table", "row"))
        emulator.read_until(lambda lines: lines == ["table", "$ of a shell", "table", "row"])


def test_whoever_asks_a_person_has_the_terminal_alone() -> None:
    with terminal() as emulator:
        screen = screen_on(emulator)
        screen.draw(frame("table"))
        screen.hold()
        screen.write(b"later\n")
        screen.draw(frame("table anew"))
        screen.write_through(b"a question?\n")
        emulator.read_until(lambda lines: lines == ["a question?"])
        screen.release()
        screen.draw(frame("table anew"))
        emulator.read_until(lambda lines: lines == ["a question?", "later", "table anew"])


def test_lines_that_wait_for_an_answer_have_a_bound_and_are_counted() -> None:
    with terminal() as emulator:
        screen = screen_on(emulator)
        screen.draw(frame("table"))
        screen.hold()
        for _ in range(1000):
            screen.write(b"x" * 70 + b"\n")
        screen.release()
        emulator.read_until(lambda lines: lines[-1].endswith(" dropped"))
        dropped = int(emulator.scrolled[-1].split()[0])
        assert sum(line == "x" * 70 for line in emulator.scrolled) + dropped == 1000
        assert dropped > 0


def test_without_a_frame_nothing_is_held() -> None:
    with terminal() as emulator:
        screen = screen_on(emulator)
        screen.hold()
        screen.write(b"at once\n")
        emulator.read_until(lambda lines: lines == ["at once"])


# One that wraps lines anew when it becomes narrower has 2 + 1 rows of this frame at 10 columns.
@pytest.mark.parametrize(("name", "up"), [("xterm-256color", 3), ("linux", 2), ("screen", 2)])
def test_a_frame_of_a_terminal_that_has_become_narrower(
    name: str, up: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", name)
    monkeypatch.delenv("XTERM_VERSION", raising=False)
    with terminal() as emulator:
        screen = screen_on(emulator)
        screen.draw(frame("x" * 19, "row"))
        emulator.read_until(lambda lines: lines[-1] == "row")
        emulator.resize(10, 24)
        emulator.raw = b""
        screen.draw(frame("one"))
        emulator.read_until(lambda lines: "one" in lines)
        assert b"\r\x1b[%dA" % up in emulator.raw


def test_a_terminal_that_is_stopped_gets_the_last_frame_alone_and_all_lines() -> None:
    with terminal() as emulator:
        screen = screen_on(emulator)
        screen.draw(frame("table"))
        emulator.read_until(lambda lines: lines == ["table"])
        termios.tcflow(emulator.slave, termios.TCOOFF)  # Ctrl-S
        for number in range(5000):
            screen.draw(frame("x" * 70, f"frame {number}"))
            if number % 100 == 0:
                screen.write(b"line\n")
        termios.tcflow(emulator.slave, termios.TCOON)
        emulator.read_until(lambda lines: lines[-1] == "frame 4999")
        assert emulator.scrolled.count("line") == 50
        # The one that was being written when it was stopped, one that came with the first line, and the last.
        assert emulator.raw.count(b"frame ") < 10


UNREAD = """
import os, sys
from flowcage.host.terminal.screen import Frame, Screen
screen = Screen(2, lambda n: f"{n} dropped", 1 << 16)
for number in range(20_000):
    screen.draw(Frame((b"x" * 1000,), (1000,)))
    screen.write(b"y" * 1000 + b"\\n")
print("drawn", flush=True)
screen.settle(Frame((b"end",), (3,)))
screen.flush()
print("left", flush=True)
os._exit(0)
"""


def test_nobody_waits_for_a_terminal_that_is_not_read() -> None:
    with terminal() as emulator:
        done = subprocess.run(
            [sys.executable, "-c", UNREAD],
            stdout=subprocess.PIPE,
            stderr=emulator.slave,
            timeout=300,
            check=True,
        )
    assert done.stdout.split() == [b"drawn", b"left"]


KILLED = """
import os, signal, time
from flowcage.host.terminal.screen import Frame, Screen
screen = Screen(2, lambda n: f"{n} dropped", 1 << 16)
screen.draw(Frame((b"table", b"row"), (5, 3)))
print("drawn", flush=True)
signal.pause()
"""


def test_a_process_that_is_killed_leaves_a_terminal_that_can_be_used() -> None:
    with terminal() as emulator:
        with subprocess.Popen(
            [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, stderr=emulator.slave
        ) as process:
            emulator.read_until(lambda lines: lines == ["table", "row"])
            process.send_signal(signal.SIGKILL)
        os.write(emulator.slave, b"$ " + b"z" * 100)
        emulator.read_until(lambda lines: lines[-1] == "z" * 22)
        assert emulator.lines == ["table", "row", "$ " + "z" * 78, "z" * 22]
        assert emulator.shows_cursor
