"""``flowcage store``: keys of a store, and what lies outside of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, fail, note, say
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.times import Length
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave

if TYPE_CHECKING:
    from flowcage.host.durable.store import Store
    from flowcage.host.durable.upkeep import Swept

_A_DAY_SECONDS = 86_400.0
# A host waits half as long for its database, with objects that are written already.
_LEAST_SECONDS = 600.0


class _Group(click.Group):
    command_class = Command


@click.group("store", cls=_Group)
def store() -> None:
    """Encrypt a store anew, and sweep its blobs."""


@store.command("new-key")
@click.argument("name", required=False)
def new_key(name: str | None) -> None:
    """Print a new key for a file of keys, called NAME, or after today's date.

    The first key of a file seals what is new. All others open what was sealed with them.
    """
    from flowcage.host.durable.errors import WrongKeys
    from flowcage.host.durable.sealing import new_key as made
    from flowcage.host.durable.sealing import require_name

    called = time.strftime("%Y-%m-%d") if name is None else name
    try:
        require_name(called)
    except WrongKeys as error:
        fail(exits.USAGE, str(error))
    say(f"{called}:{made()}")


@store.command()
@access.STORE
@access.JSON
def reseal(store: StorePlace | None, as_json: bool) -> None:
    """Seal anew what was not sealed with the first key, beside hosts that go on; after that, old keys can go.

    Hosts have to know the new key before. What is not encrypted is sealed where the keys have accept-plain.
    """
    done = access.write(store, lambda opened: opened.reseal())
    told = [f"{done.changed:,} values were sealed anew"]
    access.say_all(told, {"resealed": done.changed, "damaged": done.damaged}, as_json=as_json)
    _end(done.damaged)


@store.command()
@click.option("--older-than", type=Length(), default=_A_DAY_SECONDS,
              help="How long ago objects were made, 10m at least.  [default: 1d]")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Remove nothing; print what would be removed.")
@access.STORE
@access.JSON
def sweep(older_than: float, dry_run: bool, store: StorePlace | None, as_json: bool) -> None:
    """Remove objects outside of the database that nothing refers to, and print their names.

    A host that ends between a write and its commit leaves such. Objects that are missing are told.
    """
    if older_than < _LEAST_SECONDS:
        fail(exits.USAGE, "--older-than is 10m or more: a host may be about to commit what it wrote since")

    async def swept(opened: Store) -> Swept:  # by the clock of the store, which objects are named by
        return await opened.sweep(opened.now() - int(older_than * 1000), dry_run=dry_run)

    done = (access.read if dry_run else access.write)(store, swept)
    access.say_all(done.removed, done._asdict(), as_json=as_json)
    _end([f"{name} is missing" for name in done.missing])


def _end(problems: list[str]) -> None:
    for problem in problems:
        note(problem)
    leave(exits.FAILED if problems else exits.DONE)
