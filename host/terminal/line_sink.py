"""Lines for a descriptor whose reader may be slow, stopped or gone. Whoever writes them never waits for it.

A pipe that nobody reads and a terminal stopped with Ctrl-S block write(2) for as long as they like. In the
event loop that would stop every run, deadline and signal handler of the process, so a thread writes. It keeps
no process alive: it is a daemon, and holds no lock while it is in write(2).

Invariants: `write` neither waits nor raises; lines come out whole and in order, or are counted as dropped,
and the count stands where they are missing.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence

from flowcage.protocol.limits import MIB

# Several times what a workflow can say between two messages: lines are dropped only where nobody reads.
MAX_WAITING_BYTES = 8 * MIB
# How long the end of the process waits for a reader, in all.
PATIENCE_SECONDS = 2.0
# What a line costs beside its bytes.
_LINE_BYTES = 100
_CHUNK_BYTES = 64 * 1024
# Those that the main thread handles. Not SIGTTOU: where it is blocked, a background job may write.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LineSink:
    """Writes lines in a thread, which begins with the first.

    Args:
        descriptor: stays the caller's, and must stay open.
        told: makes a line about this many dropped ones.
        max_bytes: that may wait; a line that finds no room is dropped.
    """

    def __init__(
        self, descriptor: int, told: Callable[[int], str], max_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        self._descriptor = descriptor
        self._told = told
        self._room = max_bytes
        self._patience = PATIENCE_SECONDS
        # Each with how many lines it stands for: a count of dropped ones can be dropped, too.
        self._queue: deque[tuple[bytes, int]] = deque()
        self._dropped = 0
        # By a write that failed. To tell of them at once would only fail again, for ever.
        self._lost = 0
        self._is_writing = False
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def write(self, line: bytes) -> None:
        """Have a line written, its newline included; drop it where there is no room."""
        with self._changed:
            self._dropped, self._lost = self._dropped + self._lost, 0
            if _size(line) > self._room:
                self._dropped += 1
                return
            self._tell_of_dropped()
            self._add(line, 1)
            self._start()
            self._changed.notify_all()

    def flush(self) -> bool:
        """Wait until all is written or dropped, `PATIENCE_SECONDS` at most over all calls.

        Returns:
            Whether it is.
        """
        with self._changed:
            if self._thread is None:  # the machine had none to give
                self._write_here()
            done = self._changed.wait_for(self._is_idle, self._patience)
            self._patience = self._patience if done else 0.0
            return done

    def _write_here(self) -> None:
        while self._queue and _takes_some(self._descriptor, self._patience):
            self._write(self._take())
        self._is_writing = False

    def _is_idle(self) -> bool:
        return not (self._queue or self._is_writing or self._dropped)

    def _add(self, line: bytes, count: int) -> None:
        self._queue.append((line, count))
        self._room -= _size(line)

    def _tell_of_dropped(self) -> None:
        if self._dropped:
            self._add(f"{self._told(self._dropped)}\n".encode(), self._dropped)
            self._dropped = 0

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="flowcage lines", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread is left; the next line may be luckier
                return
            self._thread = thread

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue or self._dropped))
                if not self._queue:
                    self._tell_of_dropped()
                lines = self._take()
            self._write(lines)
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()

    def _take(self) -> list[tuple[bytes, int]]:
        """Some lines, to be written in one piece: a write for each would take ten times as long."""
        self._is_writing = True
        lines = [self._queue.popleft()]
        size = len(lines[0][0])
        while self._queue and size + len(self._queue[0][0]) <= _CHUNK_BYTES:
            lines.append(self._queue.popleft())
            size += len(lines[-1][0])
        self._room += sum(_size(line) for line, _ in lines)
        return lines

    def _write(self, lines: Sequence[tuple[bytes, int]]) -> None:
        try:
            write_all(self._descriptor, b"".join(line for line, _ in lines))
        except OSError:  # the disk is full, or the reader is gone
            with self._changed:
                self._lost += sum(count for _, count in lines)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte and wait as long as that takes, also where somebody made the descriptor non-blocking.

    Raises:
        OSError: it takes no more.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            _takes_some(descriptor, None)


def _takes_some(descriptor: int, seconds: float | None) -> bool:
    ready = select.poll()
    ready.register(descriptor, select.POLLOUT)
    return bool(ready.poll(None if seconds is None else seconds * 1000))


def _size(line: bytes) -> int:
    return len(line) + _LINE_BYTES
