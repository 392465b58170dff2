"""The events of a run as JSON Lines in a file, which may be a slow disk or a pipe that nobody reads."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import trio

from flowcage.host.cli.console import note
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.output_file import open_output, open_pipe
from flowcage.host.events.records import Event, Listener
from flowcage.host.events.stream import EventStream
from flowcage.host.outcome.errors import FlowcageError, HandlerFailed
from flowcage.host.terminal import text
from flowcage.host.terminal.line_sink import write_all
from flowcage.protocol import strictjson
from flowcage.protocol.limits import MIB

T = TypeVar("T")

# Room for several times what a workflow can say between two messages, so that a file has gaps only where it
# really is too slow.
MAX_WAITING_EVENTS = 100_000
MAX_WAITING_BYTES = 32 * MIB
# How long the command stays for a reader that is behind, once the run is over.
FLUSH_SECONDS = 5.0


class EventsFile:
    """Writes events in a thread, as they come. Close it by leaving its block.

    A named pipe that nobody reads yet is opened in that thread, too: neither the command nor the run waits.

    Args:
        path: of the file.
        inputs: what the command has read, none of which may be overwritten.

    Raises:
        InputError: the file cannot be opened for writing, or is one of those.
    """

    def __init__(self, path: Path, inputs: InputFiles) -> None:
        self._path = path
        self._stream = EventStream(MAX_WAITING_EVENTS, MAX_WAITING_BYTES)
        self._written = trio.Event()
        self._writing: Sequence[Event] = ()
        self._error: OSError | None = None
        self._writer = trio.CancelScope(shield=True)  # a run that is cancelled has a last event, too
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
        # Where a thread hangs in a write, it must not come to write to another file.
        if self._descriptor is not None and not self._writing:
            os.close(self._descriptor)

    @property
    def has_reader(self) -> bool:
        """Whether it is open; a named pipe is once somebody reads it."""
        return self._descriptor is not None

    async def record(self, run: Callable[[Listener], Awaitable[T]]) -> T:
        """Run something with a listener that writes; then wait for the file, but not for long.

        Raises:
            HandlerFailed: the file takes no more; the run was cancelled.
        """
        failure: FlowcageError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            try:
                result = await run(self._stream)
            except FlowcageError as error:  # raised outside the nursery, which would wrap it in a group
                failure = error
            finally:
                try:
                    await self._flush()
                finally:  # a second Ctrl-C ends the waiting, but not what is shielded
                    self._writer.cancel()
        if failure is not None:
            raise failure
        if self._error is not None:
            raise HandlerFailed(self._cannot_be_written(self._error)) from self._error
        return result

    async def _write(self, run: trio.CancelScope) -> None:
        try:
            with self._writer:
                while events := await self._stream.batch():
                    self._writing = events
                    # Cancelling leaves the thread behind: nothing ends a write to a pipe that nobody reads.
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
        how = "nobody reads it fast enough" if self.has_reader else "nobody has read it"
        note(
            f"warning: --events {self._path}: {how}; the last {late} events are not in it, or not all of them"
        )

    def _cannot_be_written(self, error: OSError) -> str:
        return f"--events {self._path}: cannot be written: {error.strerror}"
