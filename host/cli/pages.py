"""``flowcage ui``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, FilePath, fail
from flowcage.host.cli.operating import logs, metrics
from flowcage.host.cli.runs import access, detaching
from flowcage.host.durable.address import StorePlace, file_of
from flowcage.host.terminal.text import is_interactive

if TYPE_CHECKING:
    from flowcage.host.durable.store import Store
    from flowcage.host.ui.door.keys import EntryFile, Keys

PORT = 8377


@click.command(cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True,
              help="To listen on; 0 takes a free one.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--allow-host", "allowed", multiple=True, metavar="NAME[:PORT]",
              help="A further name under which browsers ask for it; may be repeated.")  # fmt: skip
@click.option("--token-file", type=FilePath(), help="File of the token that lets in; it is made where there "
              "is none.  [default: a new token each time]")  # fmt: skip
@click.option("--tenant", help="Show the runs of this tenant alone.")
@click.option("--read-only", is_flag=True, help="Only show: nothing is cancelled, answered or resumed.")
@click.option("--no-open", is_flag=True, help="Start no browser.")
@access.STORE
@metrics.option
@logs.option
def ui(port: int, host: str, store: StorePlace | None, **given: Any) -> None:
    """Show the kept runs in a browser, live, and act on them, until Ctrl-C.

    The pages are for whoever started the command alone: a browser is let in by an address that is good for
    one use.
    """
    try:
        from flowcage.host.ui.server import ListenError, listening
    except ImportError as error:
        fail(
            exits.USAGE,
            f"the pages need packages that are missing ({error.name}): pip install 'flowcage[ui]'",
        )
    from flowcage.host.ui.door.keys import TokenError

    path = access.present(store) if given["read_only"] else access.place_of(store)
    try:
        keys = _keys(given["token_file"])
        listener = listening(host, port)
    except (TokenError, ListenError) as error:
        fail(exits.USAGE, str(error))

    async def work(opened: Store) -> NoReturn:
        await _serve(opened, path, keys, listener, host, given)

    if given["read_only"]:
        access.read(path, work)
    access.write(path, work, makes=True)


def _keys(token_file: Path | None) -> Keys:
    from flowcage.host.ui.door import keys

    return keys.Keys(keys.new_token() if token_file is None else keys.token_of(token_file))


async def _serve(
    opened: Store, path: StorePlace, keys: Keys, listener: Any, host: str, given: dict[str, Any]
) -> NoReturn:
    import trio

    from flowcage.host.metrics.requests import Requests
    from flowcage.host.serve.service_manager import service_manager
    from flowcage.host.ui import app, server
    from flowcage.host.ui.api.kept import KeptRuns
    from flowcage.host.ui.api.resuming import Resuming
    from flowcage.host.ui.counted import counted
    from flowcage.host.ui.door import names

    manager, requests = service_manager(), Requests()
    tell = logs.teller(given["log_format"], "ui")
    port = listener.getsockname()[1]
    runs = KeptRuns(opened, given["tenant"], file_of(path), acts=not given["read_only"])
    program = [*detaching.PROGRAM]
    allowed = names.allowed(host, port, given["allowed"])
    asked = counted(app.app_of(runs, Resuming(program, path), keys, allowed), requests)
    origin = names.address_of(host, port)
    if not names.is_loopback(host):
        tell(f"warning: {host} can be reached from other machines, and what is sent is not encrypted")
    with _entry(keys, origin) as entry, metrics.of_pages(given["metrics_addr"], requests, opened, tell):

        def begun() -> None:
            _announce(entry, keys, origin, tell, opens=not given["no_open"])
            manager.ready(f"serving {origin}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(manager.keep_alive, lambda: f"{requests.open} requests at work")
            try:
                await server.serve_until_cancelled(asked, listener, begun)
            finally:
                manager.stopping("ends")
    raise AssertionError("a server that was not cancelled has ended")


@contextmanager
def _entry(keys: Keys, origin: str) -> Iterator[EntryFile]:
    """The file that lets a browser in, as long as the server runs."""
    import tempfile

    from flowcage.host.ui.door.keys import EntryFile

    with tempfile.TemporaryDirectory(prefix="flowcage-ui-", dir=_runtime_folder()) as folder:
        entry = EntryFile(Path(folder) / "flowcage.html", lambda: _address(keys, origin))
        entry.write()
        keys.changed = entry.write
        try:
            yield entry
        finally:
            entry.remove()


def _runtime_folder() -> str | None:
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    return folder if os.path.isabs(folder) and os.access(folder, os.W_OK) else None


def _address(keys: Keys, origin: str) -> str:
    return f"{origin}/{keys.place}/enter?key={keys.key}"


def _announce(entry: EntryFile, keys: Keys, origin: str, tell: Callable[[str], None], *, opens: bool) -> None:
    if not is_interactive():  # stderr may be a log, which others read: it has no key
        tell(f"serving {origin}; open {entry.path} in a browser")
        return
    tell(f"serving {_address(keys, origin)}")
    tell(f"the address is good for one browser; for another one open {entry.path}; Ctrl-C ends it")
    if opens and (sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        import threading
        import webbrowser

        # The list of processes shows what a browser is started with, to all users: so it is a file.
        threading.Thread(target=webbrowser.open, args=(entry.path.as_uri(),), daemon=True).start()
