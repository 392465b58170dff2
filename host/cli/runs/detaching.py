"""``--detach``: the command goes on in a process of its own, without the terminal.

The second process is the same command in a session of its own. Until its run is kept it has the terminal's
streams, so what is wrong is told as ever, with the same exit status. Then it lets go of them, and says so
through a pipe; the first process prints that and ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from flowcage.host.cli.console import say
from flowcage.host.cli.exits import DONE
from flowcage.host.cli.runs import places
from flowcage.host.durable.address import StorePlace, environment_for, is_address, read_address
from flowcage.host.terminal.text import leave, wait_until_told
from flowcage.protocol import strictjson

if TYPE_CHECKING:
    from flowcage.host.run.run import Run

F = TypeVar("F", bound=Callable[..., Any])

# Starts the command line in a process of its own; the words of a command follow.
PROGRAM = (sys.executable, "-P", "-c", "from flowcage.host.cli.entry import main; main()")
_MOST_BYTES = 65_536  # of what the second process says


def options(command: F) -> F:
    """The options of a command that can be detached."""
    told = click.option("--detached", type=click.IntRange(0), hidden=True)
    asked = click.option(
        "--detach",
        is_flag=True,
        help="Go on in the background, and print the run's id and the file for its messages once it is kept.",
    )
    return asked(told(command))


def start_if(given: dict[str, Any]) -> None:
    """Where the command is to be detached, start the second process and leave."""
    if given["detach"] and given["detached"] is None:
        _start(click.get_current_context().params["store"])


def _start(store: StorePlace | None) -> NoReturn:
    """Start the second process, and leave when its run is kept, or with its exit status."""
    reader, writer = os.pipe()
    store = store or places.from_environment()
    name, *rest = map(_shown, sys.argv[1:])
    process = subprocess.Popen(
        [*PROGRAM, name, f"--detached={writer}", *rest],
        pass_fds=(writer,),
        start_new_session=True,
        env={**os.environ, **environment_for(store), "NO_COLOR": "1"},  # its messages go to a file
    )
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as pipe:
            told = pipe.read(_MOST_BYTES)
        if told:
            say(told.decode())
            leave(DONE)
        status = process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait()
        raise
    leave(128 - status if status < 0 else status)


def _shown(word: str) -> str:
    """A word of the command as the list of processes may show it to all users."""
    option, equals, value = word.partition("=") if word.startswith("--store=") else ("", "", word)
    try:
        return f"{option}{equals}{read_address(value)}" if is_address(value) else word
    except ValueError:  # of another option
        return word


def announced(
    descriptor: int | None, store: StorePlace | None, began: Callable[[Run, bool], None]
) -> Callable[[Run, bool], None]:
    """`began` of a run, which in the second process lets go of the terminal when the first life begins.

    Args:
        descriptor: of the pipe to the first process; None in a process that is not detached.
        store: that keeps the run.
        began: is given a run, and whether it is kept.
    """
    if descriptor is None:
        return began
    assert store is not None
    pipes = [descriptor]

    def begin(run: Run, is_kept: bool) -> None:
        began(run, is_kept)
        if is_kept and pipes:
            _let_go(pipes.pop(), run.id, store)

    return begin


def _let_go(descriptor: int, run_id: str, store: StorePlace) -> None:
    log = log_of(store, run_id)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    wait_until_told()
    for stream, target in ((0, nothing), (1, nothing), (2, file)):
        os.dup2(target, stream)
    os.close(file)
    os.close(nothing)
    try:
        os.write(descriptor, strictjson.dumps({"runId": run_id, "log": str(log)}).encode())
        os.close(descriptor)
    except OSError:  # the first process was killed; the run goes on all the same
        return


def log_of(store: StorePlace, run_id: str) -> Path:
    """The file, on this machine, for the messages of a run that is detached."""
    from flowcage.host.durable.sqlite.store import default_path

    if not isinstance(store, Path):
        return default_path().with_name("postgres.logs") / f"{run_id}.log"
    return Path(f"{store}.logs") / f"{run_id}.log"
