"""Lines for a reader that is slow, stopped or gone: nobody waits for it, and it learns what it missed."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from flowcage.host.terminal import line_sink
from flowcage.host.terminal.line_sink import LineSink

DEADLINE = 300.0
# More than a pipe holds.
BLOCK = b"x" * 200_000 + b"\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Ends to read from and to write to."""
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        os.close(descriptor)


def sink(descriptor: int, max_bytes: int = 1 << 20) -> LineSink:
    return LineSink(descriptor, lambda count: f"{count} dropped", max_bytes)


def read_until(descriptor: int, end: bytes) -> bytes:
    """All that comes up to this end."""
    data = b""
    while not data.endswith(end):
        assert select.select((descriptor,), (), (), DEADLINE)[0], data[-200:]
        data += os.read(descriptor, 1 << 16)
    return data


def test_lines_come_out_in_order(pipe: tuple[int, int]) -> None:
    lines = sink(pipe[1])
    for number in range(100):
        lines.write(b"%d\n" % number)
    assert lines.flush()
    assert os.read(pipe[0], 1 << 16) == b"".join(b"%d\n" % number for number in range(100))


def test_what_finds_no_room_is_dropped_and_counted_where_it_is_missing(pipe: tuple[int, int]) -> None:
    lines = sink(pipe[1], max_bytes=500_000)
    lines.write(BLOCK)
    wait_until_in_the_pipe(pipe[0])
    for _ in range(10):
        lines.write(BLOCK)  # two find room behind the one that is being written
    assert os.read(pipe[0], 1 << 16)  # the reader is back
    rest = read_until(pipe[0], b"8 dropped\n")
    assert rest.count(b"\n") == 4
    lines.write(b"next\n")
    assert read_until(pipe[0], b"next\n") == b"next\n"


def wait_until_in_the_pipe(descriptor: int) -> None:
    assert select.select((descriptor,), (), (), DEADLINE)[0]


def test_the_count_stands_before_the_lines_that_came_later(pipe: tuple[int, int]) -> None:
    lines = sink(pipe[1], max_bytes=len(BLOCK) + 400)
    lines.write(BLOCK)
    wait_until_in_the_pipe(pipe[0])
    lines.write(BLOCK)
    lines.write(BLOCK)
    lines.write(BLOCK)
    lines.write(b"small\n")  # still finds room: but not before the count
    assert read_until(pipe[0], b"small\n").endswith(b"\n2 dropped\nsmall\n")


def test_a_line_longer_than_all_the_room_is_dropped_without_a_word_from_anybody_else(
    pipe: tuple[int, int],
) -> None:
    lines = sink(pipe[1], max_bytes=300)
    lines.write(b"x" * 1_000)
    lines.write(b"y\n")
    assert lines.flush()
    assert os.read(pipe[0], 1 << 16) == b"1 dropped\ny\n"


def test_nobody_waits_for_a_reader_that_is_not_there(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_sink, "FLUSH_SECONDS", 0.2)
    lines = sink(pipe[1])
    lines.write(BLOCK)
    assert not lines.flush()
    began = time.monotonic()
    assert not any(lines.flush() for _ in range(1_000))  # the seconds are for all calls together
    assert time.monotonic() - began < DEADLINE


@pytest.mark.parametrize("gone", ["reader", "disk"])
def test_lines_that_cannot_be_written_are_counted_and_the_next_is_tried(gone: str) -> None:
    reading, writing = os.pipe()
    if gone == "disk":
        os.dup2(os.open("/dev/full", os.O_WRONLY), writing)
    os.close(reading)
    lines = sink(writing)
    lines.write(b"a\n")
    assert lines.flush()
    again, back = os.pipe()
    os.dup2(back, writing)
    lines.write(b"b\n")
    assert read_until(again, b"b\n") == b"1 dropped\nb\n"
    for descriptor in (again, back, writing):
        os.close(descriptor)


def test_a_descriptor_that_somebody_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    lines = sink(pipe[1])
    lines.write(BLOCK)
    wait_until_in_the_pipe(pipe[0])
    assert read_until(pipe[0], b"\n") == BLOCK


ENDS = """
import os
from flowcage.host.terminal.line_sink import LineSink
reading, writing = os.pipe()
LineSink(writing, str).write(b"x" * 200_000)
os.read(reading, 1)
print("over")
"""


def test_a_thread_that_hangs_in_a_write_keeps_no_process_alive() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"over\n", b"")


NO_THREADS = """
import sys, threading
from flowcage.host.terminal import text
def refuse(_): raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
text.tell("still heard")
text.leave(7)
"""


def test_where_no_thread_is_to_be_had_the_last_words_are_still_heard() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_THREADS], capture_output=True, timeout=DEADLINE, check=False
    )
    assert (done.returncode, done.stderr) == (7, b"still heard\n")
