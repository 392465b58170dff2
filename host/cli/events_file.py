"""The events of a run as JSON Lines in a file, which may be on a slow disk or a pipe without a reader."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import trio

from flowcage.host.cli.console import note
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.lone_error import open_nursery_raising
from flowcage.host.cli.outcomes.output_file import open_output, open_pipe
from flowcage.host.events.records import Event, Listener
from flowcage.host.events.stream import EventStream
from flowcage.host.outcome.errors import FlowcageError, HandlerFailed
from flowcage.host.terminal import text
from flowcage.host.terminal.line_sink import write_all
from flowcage.protocol import strictjson
from flowcage.protocol.limits import MIB

T = TypeVar("T")

# Several times what a workflow can queue between two messages, so that only a file that is too slow has gaps.
MAX_WAITING_EVENTS = 100_000
MAX_WAITING_BYTES = 32 * MIB
# How long the command waits for the file after the end of the run.
FLUSH_SECONDS = 5.0


class EventsFile:
    """Writes events in a thread, as they come. Leaving the block closes the file.

    A named pipe without a reader is opened in that thread too, so that neither the command nor the run waits.

    Args:
        path: of the file.
        inputs: the files that the command has read; none of them may be overwritten.

    Raises:
        InputError: the file cannot be opened for writing, or is one of the inputs.
    """

    def __init__(self, path: Path, inputs: InputFiles) -> None:
        self._path = path
        self._stream = EventStream(MAX_WAITING_EVENTS, MAX_WAITING_BYTES)
        self._written = trio.Event()
        self._writing: Sequence[Event] = ()
        self._error: OSError | None = None
        self._writer = trio.CancelScope(shield=True)  # the last event of a cancelled run must be written too
        try:
            self._descriptor = open_output(f"--events {path}", path, inputs)
        except OSError as error:
            raise InputError(self._cannot_be_written(error)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Not while a thread is in write(2): the number may be given to another file, which it would write to.
        if self._descriptor is not None and not self._writing:
            os.close(self._descriptor)

    @property
    def has_reader(self) -> bool:
        """Whether the file is open; a named pipe is opened once it has a reader."""
        return self._descriptor is not None

    @property
    def is_terminal(self) -> bool:
        """Whether it is a terminal, which may be that of stderr."""
        return self._descriptor is not None and os.isatty(self._descriptor)

    async def record(self, run: Callable[[Listener], Awaitable[T]]) -> T:
        """Run something with a listener that writes; then wait for the file, `FLUSH_SECONDS` at most.

        Raises:
            HandlerFailed: the file could not be written; the run was cancelled.
        """
        async with open_nursery_raising(FlowcageError) as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            try:
                result = await run(self._stream)
            finally:
                try:
                    await self._flush()
                finally:  # after a second Ctrl-C too, which ends `_flush` but not the shielded writer
                    self._writer.cancel()
        if self._error is not None:
            raise HandlerFailed(self._cannot_be_written(self._error)) from self._error
        return result

    async def _write(self, run: trio.CancelScope) -> None:
        try:
            with self._writer:
                while events := await self._stream.batch():
                    self._writing = events
                    # Cancelling abandons the thread: nothing can end a write to a pipe that is not read.
                    await trio.to_thread.run_sync(self._append, events, abandon_on_cancel=True)
                    self._writing = ()
        except OSError as error:
            self._error = error
            self._writing = ()
            run.cancel()
        finally:
            self._written.set()

    def _append(self, events: Sequence[Event]) -> None:
        lines = "".join(f"{strictjson.dumps(event.to_json())}\n" for event in events)
        if self._descriptor is None:
            self._descriptor = open_pipe(self._path)
        if os.isatty(self._descriptor):
            lines = text.escaped(lines)
        write_all(self._descriptor, lines.encode())

    async def _flush(self) -> None:
        self._stream.close()
        with trio.move_on_after(FLUSH_SECONDS, shield=True):
            await self._written.wait()
            return
        late = len(self._writing) + len(self._stream)
        how = "its reader is too slow" if self.has_reader else "it has no reader"
        note(f"warning: --events {self._path}: {how}; some or all of the last {late} events are missing")

    def _cannot_be_written(self, error: OSError) -> str:
        return f"--events {self._path}: cannot be written: {error.strerror}"
