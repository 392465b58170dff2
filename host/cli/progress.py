"""The progress of a run on stderr, beside its events in a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import StringIO
from typing import TypeVar

from flowcage.host.cli.events_file import EventsFile
from flowcage.host.events import records
from flowcage.host.events.records import Event, Listener
from flowcage.host.terminal import text
from flowcage.host.terminal.text import indented
from flowcage.protocol import strictjson

T = TypeVar("T")


async def watched(
    run: Callable[[Listener | None], Awaitable[T]], events_file: EventsFile | None, *, quiet: bool
) -> T:
    """Run something with the listener that the command line asked for.

    Raises:
        HandlerFailed: the events file cannot be written.
    """
    show = None if quiet else (_coloured() if text.wants_colour() else _plain)
    if events_file is None:
        return await run(show)
    return await events_file.record(lambda record: run(_both(record, show)))


def _both(record: Listener, show: Listener | None) -> Listener:
    def tell(event: Event) -> None:
        record(event)
        if show is not None:
            show(event)

    return tell


def _plain(event: Event) -> None:
    line = describe(event)
    if line is not None:
        text.tell(indented(line[1]))


def _coloured() -> Listener:
    from rich.console import Console

    # rich only renders: if it wrote, it would wait for the terminal. `no_color` and `force_terminal` keep it
    # from reading the environment, where FORCE_COLOR=0 would mean colour to it; see `wants_colour`.
    console = Console(file=StringIO(), highlight=False, emoji=False, no_color=False, force_terminal=True)

    def show(event: Event) -> None:
        line = describe(event)
        if line is not None:
            with console.capture() as drawn:
                console.print(indented(line[1]), style=line[0], markup=False, soft_wrap=True, end="")
            text.tell(drawn.get())

    return show


def describe(event: Event) -> tuple[str, str] | None:
    """A style of rich and a line of text for an event; None for events that are not shown."""
    if isinstance(event, records.PhaseEntered):
        return "bold cyan", f"== {event.name}"
    if isinstance(event, records.Logged):
        return "", "   " + " ".join(map(_text, event.values))
    if isinstance(event, records.AgentStarted):
        return "dim", f"-> agent {event.request_id} {event.label or _first_line(event.prompt)}"
    if isinstance(event, records.AgentCompleted):
        return "green", f"<- agent {event.request_id} answered in {event.seconds:.2f} s"
    if isinstance(event, records.AgentFailed):
        again = " and is retried" if event.will_retry else ""
        return "red", f"!! agent {event.request_id} failed{again}: {event.message}"
    if isinstance(event, records.ChildStarted):
        return "cyan", f"-> workflow {event.source_name}"
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else strictjson.dumps(value)


def _first_line(prompt: str) -> str:
    return text.cut(prompt.split("\n", 1)[0], 60)
