"""Lines for a descriptor whose reader may be slow, stopped or gone; writers never wait for it.

A pipe that is not read and a terminal stopped with Ctrl-S block write(2) without a limit. In the event loop
that would stop every run, deadline and signal handler of the process, so a thread writes. O_NONBLOCK is no
alternative: it belongs to the file description, which other processes share (D35).

`write` may be called from any thread, also in the event loop; `flush` waits, and is for the end of the
process. `_queue` has the lines that wait, `_dropped` counts lines for which there was no room, and `_lost`
lines whose write failed. One condition, `_changed`, guards all three. Invariants:

- `write` neither waits nor raises. It takes the lock, which the thread never holds while it is in write(2).
- Lines come out whole and in order, or are counted as dropped. The line with the count stands where they are
  missing: `write` puts it in front of the next line that finds room, and `_run` at the end of an empty queue.
- `_is_writing` is set in the same hold of the lock in which lines are taken from the queue. Otherwise `flush`
  could see an empty queue while the last lines are still unwritten, and the process could end before them.
- Room is given back when lines are taken, not when they are written: one batch of `_CHUNK_BYTES` more may
  wait.
- The count of lost lines becomes a line with the next `write` only. At once it would fail again, without end.
- The thread is a daemon, so that a write that never returns keeps no process alive; whoever exits bounds the
  wait by `flush`. It blocks the signals that the main thread handles, because a handler in Python runs in the
  main thread, which a signal delivered to this one would not wake.

tests/terminal/test_line_sink.py has a pipe that is not read, one that is closed, and a full disk.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence

from flowcage.protocol.limits import MIB

# Several times what a workflow can queue between two messages, so that lines are dropped only without a
# reader.
MAX_WAITING_BYTES = 8 * MIB
# The most that all calls of `flush` together wait for the reader.
FLUSH_SECONDS = 2.0
# Memory for a line beside its bytes.
_LINE_BYTES = 100
# For one write(2): what a pipe holds, pipe(7).
_CHUNK_BYTES = 64 * 1024
# Those that the main thread handles. Not SIGTTOU: blocked, it would let a background job write (termios(3)).
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LineSink:
    """Writes lines in a thread, which is started by the first line.

    Args:
        descriptor: must stay open; the caller owns it.
        dropped_line: makes the line that stands for so many dropped ones.
        max_bytes: that may wait; a line that finds no room is dropped.
    """

    def __init__(
        self, descriptor: int, dropped_line: Callable[[int], str], max_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        self._descriptor = descriptor
        self._dropped_line = dropped_line
        self._room = max_bytes
        self._seconds_left = FLUSH_SECONDS
        # Each with the number of lines that it stands for: a line with a count may itself be lost.
        self._queue: deque[tuple[bytes, int]] = deque()
        self._dropped = 0
        self._lost = 0
        self._is_writing = False
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def write(self, line: bytes) -> None:
        """Queue a line, which ends in its newline; drop it if there is no room."""
        with self._changed:
            self._dropped, self._lost = self._dropped + self._lost, 0
            if size_of(line) > self._room:
                self._dropped += 1
                return
            self._tell_of_dropped()
            self._add(line, 1)
            self._start()
            self._changed.notify_all()

    def flush(self) -> bool:
        """Wait until everything is written or lost, `FLUSH_SECONDS` at most over all calls.

        Returns:
            Whether it is.
        """
        with self._changed:
            if self._thread is None:  # no line was written, or no thread could be started
                self._write_here()
            done = self._changed.wait_for(self._is_idle, self._seconds_left)
            self._seconds_left = self._seconds_left if done else 0.0
            return done

    def _write_here(self) -> None:
        while self._queue and _takes_some(self._descriptor, self._seconds_left):
            self._write(self._take())
        self._is_writing = False

    def _is_idle(self) -> bool:
        return not (self._is_writing or self._has_work())

    def _has_work(self) -> bool:
        return bool(self._queue or self._dropped)

    def _add(self, line: bytes, count: int) -> None:
        self._queue.append((line, count))
        self._room -= size_of(line)

    def _tell_of_dropped(self) -> None:
        if self._dropped:
            self._add(f"{self._dropped_line(self._dropped)}\n".encode(), self._dropped)
            self._dropped = 0

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="flowcage lines", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no thread left; tried again with the next line
                return
            self._thread = thread

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if not self._queue:
                    self._tell_of_dropped()
                lines = self._take()
            self._write(lines)
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()

    def _take(self) -> list[tuple[bytes, int]]:
        """Take lines to be written together: a write for each would take ten times as long."""
        self._is_writing = True
        lines = [self._queue.popleft()]
        size = len(lines[0][0])
        while self._queue and size + len(self._queue[0][0]) <= _CHUNK_BYTES:
            lines.append(self._queue.popleft())
            size += len(lines[-1][0])
        self._room += sum(size_of(line) for line, _ in lines)
        return lines

    def _write(self, lines: Sequence[tuple[bytes, int]]) -> None:
        try:
            write_all(self._descriptor, self._encoded([line for line, _ in lines]))
        except OSError:  # the disk is full, or the reader has closed the pipe
            with self._changed:
                self._lost += sum(count for _, count in lines)

    def _encoded(self, lines: Sequence[bytes]) -> bytes:
        """What is written for some lines."""
        return b"".join(lines)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, and wait as long as that takes.

    Another process may have made the file description non-blocking, which is why EAGAIN is waited for here.

    Raises:
        OSError: the disk is full, the reader has closed the pipe, or another error of write(2).
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            _takes_some(descriptor, None)


def _takes_some(descriptor: int, seconds: float | None) -> bool:
    """Wait until a write would not block; None waits without a limit."""
    ready = select.poll()
    ready.register(descriptor, select.POLLOUT)
    return bool(ready.poll(None if seconds is None else seconds * 1000))


def size_of(line: bytes) -> int:
    """The room that a line takes while it waits."""
    return len(line) + _LINE_BYTES
