"""What the commands about kept runs share: their options, and a store for the length of one."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import fail, note, to_the_end, write_result
from flowcage.host.cli.names import completion
from flowcage.host.cli.runs import places
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave, safe
from flowcage.protocol import strictjson

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord
    from flowcage.host.durable.store import Store

T = TypeVar("T")

# 128 + SIGPIPE, as for a program that does not ignore it.
PIPE_CLOSED = 141

STORE = places.option()
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
RUN = click.argument("run", shell_complete=completion.runs)


def place_of(store: StorePlace | None) -> StorePlace:
    """Where the store is that a command works on."""
    from flowcage.host.cli.runs import keeping

    return places.absolute(keeping.place_of(store))


def read(store: StorePlace | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """Do something with a store that is opened for reading alone, or leave with a message."""
    return _left(lambda: _with(place_of(store), work, read_only=True))


def read_if_there(store: StorePlace | None, work: Callable[[Store], Awaitable[T]], otherwise: T) -> T:
    """The same, with a note and another result where there is no store."""
    from flowcage.host.durable.errors import NoStore

    def done() -> T:
        try:
            return _with(place_of(store), work, read_only=True)
        except NoStore as error:
            note(str(error))
            return otherwise

    return _left(done)


def write(store: StorePlace | None, work: Callable[[Store], Awaitable[T]], *, makes: bool = False) -> T:
    """Do something with a store that may be written, or leave with a message.

    Args:
        store: its place.
        work: what is done.
        makes: whether a store is made where there is none.
    """
    place = place_of(store) if makes else present(store)
    return _left(lambda: _with(place, work, read_only=False, makes=makes))


def present(store: StorePlace | None) -> StorePlace:
    """The place of a store that is there, or leave with a message; a database tells when it is opened."""
    place = place_of(store)
    if isinstance(place, Path) and not os.path.exists(place):
        fail(exits.USAGE, f"there is no store {place}")
    return place


def _with(
    place: StorePlace, work: Callable[[Store], Awaitable[T]], *, read_only: bool, makes: bool = False
) -> T:
    from flowcage.host.cli.runs import keeping
    from flowcage.host.durable.errors import StoreFailed

    async def to_its_end() -> T | StoreFailed:
        try:
            async with keeping.opened(place, read_only=read_only, makes=makes) as opened:
                return await work(opened)
        except StoreFailed as failure:  # of no run here, so its verdict says nothing
            return failure

    done = to_the_end(to_its_end)
    if isinstance(done, StoreFailed):
        fail(exits.OUR_FAULT, str(done))
    return done


def _left(work: Callable[[], T]) -> T:
    """Do something, or leave with a message because of the store."""
    from flowcage.host.durable.errors import StoreError

    try:
        return work()
    except StoreError as error:
        refuse(error)


def refuse(error: Exception) -> NoReturn:
    """Leave because a run or a store cannot be used."""
    from flowcage.host.durable.errors import UnknownRun

    is_missing = isinstance(error, UnknownRun) and error.run_id != "@last"  # which is missing where none is
    fail(exits.USAGE, f"{error}; flowcage ls lists those that it has" if is_missing else str(error))


def looked_up(store: StorePlace | None, run: str) -> RunRecord:
    """A run with its history, or leave with a message."""

    async def look(opened: Store) -> RunRecord:
        return await opened.load(await opened.find(run))

    return read(store, look)


def say_all(lines: Sequence[str], members: Any, *, as_json: bool) -> None:
    """Write what a command has done or found to stdout: lines for a person, or JSON."""
    text = strictjson.dumps_ascii(members) if as_json else "\n".join(map(safe, lines))
    if text:
        hand_over(text if as_json else for_stdout(text))


def hand_over(text: str) -> None:
    """Write a text to stdout, or leave: quietly where its reader has gone, else with a message."""
    try:
        write_result(text)
    except BrokenPipeError:  # whoever reads it has seen enough
        leave(PIPE_CLOSED)
    except OSError as error:
        fail(exits.OUR_FAULT, f"the result cannot be written: {error.strerror}")


def for_stdout(text: str) -> str:
    """A text for a person, with escapes where stdout has an encoding that lacks its characters."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if encoding.lower().replace("-", "") == "utf8":
        return text
    return text.encode("ascii", "backslashreplace").decode("ascii")
