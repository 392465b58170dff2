"""What the commands about kept runs share: their options, and a store for the length of one."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import FilePath, fail, to_the_end, write_result
from flowcage.host.cli.names import completion
from flowcage.host.terminal.text import leave, safe
from flowcage.protocol import strictjson

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord
    from flowcage.host.durable.sqlite.store import SqliteStore

T = TypeVar("T")

# 128 + SIGPIPE, as for a program that does not ignore it.
PIPE_CLOSED = 141

STORE = click.option("--store", type=FilePath(), help="File of the store [default: the user's].")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
RUN = click.argument("run", shell_complete=completion.runs)


def path_of(store: Path | None) -> Path:
    """The file of the store that a command works on."""
    from flowcage.host.cli.runs import keeping

    return keeping.store_path(store).absolute()


def read(store: Path | None, work: Callable[[SqliteStore], Awaitable[T]]) -> T:
    """Do something with a store that is opened for reading alone, or leave with a message."""
    return _with(path_of(store), work, read_only=True)


def write(store: Path | None, work: Callable[[SqliteStore], Awaitable[T]], *, makes: bool = False) -> T:
    """Do something with a store that may be written, or leave with a message.

    Args:
        store: its file.
        work: what is done.
        makes: whether a store is made where there is none.
    """
    return _with(path_of(store) if makes else present(store), work, read_only=False)


def present(store: Path | None) -> Path:
    """The file of a store that is there, or leave with a message."""
    path = path_of(store)
    if not os.path.exists(path):
        fail(exits.USAGE, f"there is no store {path}")
    return path


def _with(path: Path, work: Callable[[SqliteStore], Awaitable[T]], *, read_only: bool) -> T:
    from flowcage.host.cli.runs import keeping
    from flowcage.host.durable.errors import StoreError, StoreFailed

    async def to_its_end() -> T | StoreFailed:
        try:
            async with keeping.opened(path, read_only=read_only) as opened:
                return await work(opened)
        except StoreFailed as failure:  # of no run here, so its verdict says nothing
            return failure

    try:
        done = to_the_end(to_its_end)
    except StoreError as error:
        refuse(error)
    if isinstance(done, StoreFailed):
        fail(exits.OUR_FAULT, str(done))
    return done


def refuse(error: Exception) -> NoReturn:
    """Leave because a run or a store cannot be used."""
    from flowcage.host.durable.errors import UnknownRun

    is_missing = isinstance(error, UnknownRun) and error.run_id != "@last"  # which is missing where none is
    fail(exits.USAGE, f"{error}; flowcage ls lists those that it has" if is_missing else str(error))


def looked_up(store: Path | None, run: str) -> RunRecord:
    """A run with its history, or leave with a message."""

    async def look(opened: SqliteStore) -> RunRecord:
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
