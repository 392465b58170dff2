"""Where the store of a command is: ``--store``, the environment, or the user's file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from flowcage.host.cli.console import FilePath
from flowcage.host.cli.runs import contents
from flowcage.host.durable.address import PASSWORD, PostgresAddress, StorePlace, is_address, read_address

F = TypeVar("F", bound=Callable[..., Any])

VARIABLE = "FLOWCAGE_STORE"
# The password of this process, which what it starts does not find in its environment.
_taken: list[str] = []


class StoreOption(FilePath):
    """An option that is a file, or the address of a database."""

    name = "file|address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take ``postgresql://…``, too."""
        if isinstance(value, PostgresAddress):
            return value
        try:
            if isinstance(value, str) and is_address(value):
                return read_address(value).with_password(_password())
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)


def option(about: str = "Store of the runs: a file, or postgresql://USER@HOST/DATABASE") -> Callable[[F], F]:
    """``--store``, and how its values are kept."""
    store = click.option(
        "--store", type=StoreOption(), help=f"{about} [default: $FLOWCAGE_STORE, or the user's file]."
    )
    return lambda command: store(contents.options(command))


def hide_secrets() -> None:
    """Take password and keys out of the environment, before anything is started that would inherit them."""
    contents.hide_keys()
    if (password := os.environ.pop(PASSWORD, None)) is not None:
        _taken[:] = [password]
    given = os.environ.get(VARIABLE, "")
    try:
        if not is_address(given):
            return
        address = read_address(given)
    except ValueError as error:
        del os.environ[VARIABLE]
        raise click.UsageError(f"{VARIABLE}: {error}") from None
    os.environ[VARIABLE] = str(address)
    if address.password is not None:
        _taken[:] = [address.password]


def _password() -> str | None:
    return _taken[0] if _taken else None


def from_environment() -> StorePlace | None:
    """The store that the environment names."""
    given = os.environ.get(VARIABLE)
    return StoreOption().convert(given, None, None) if given else None


def absolute(place: StorePlace) -> StorePlace:
    """The same, whatever becomes of the working folder."""
    return place.absolute() if isinstance(place, Path) else place
