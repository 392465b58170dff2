"""How the values of a command's store are kept: ``--keys``, ``--blobs``, and their variables.

Keys are not left in the environment, where agents would find them; what is started of this program gets them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowcage.host.cli.console import FilePath
from flowcage.host.durable import address

if TYPE_CHECKING:
    from flowcage.host.durable.sealing import Keyring

F = TypeVar("F", bound=Callable[..., Any])

KEYS, BLOBS = "FLOWCAGE_STORE_KEYS", "FLOWCAGE_STORE_BLOBS"


def options(command: F) -> F:
    """``--keys`` and ``--blobs``, which `keeping.opened` goes by."""
    keys = click.option(
        "--keys", type=FilePath(), expose_value=False, callback=_take_keys,
        help="File of the keys that the store is encrypted with, the first for what is new "
        "[default: $FLOWCAGE_STORE_KEYS].",
    )  # fmt: skip
    blobs = click.option(
        "--blobs", metavar="URL", expose_value=False, callback=_take_blobs,
        help="Where large values of the store are kept: a folder, or a URL such as s3://BUCKET/PATH "
        "[default: $FLOWCAGE_STORE_BLOBS].",
    )  # fmt: skip
    return keys(blobs(command))


def hide_keys() -> None:
    """Take keys out of the environment, before anything is started that would inherit them."""
    for name in (KEYS, BLOBS):
        if given := os.environ.pop(name, None):
            address.hand_on(name, given)


def _take_keys(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
    if value is not None:
        address.hand_on(KEYS, str(value.absolute()))


def _take_blobs(_ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        address.hand_on(BLOBS, value)


def blobs() -> str | None:
    """Where large values are kept, if not in the database."""
    return address.environment_for(None).get(BLOBS)


def keyring() -> Keyring | None:
    """The keys of the store, if it has some. Raises `StoreError`."""
    given = address.environment_for(None).get(KEYS)
    if given is None:
        return None
    from flowcage.host.durable.errors import WrongKeys, WrongStore
    from flowcage.host.durable.sealing import keys_of_file, read_keys

    try:
        if _is_there(given):
            return keys_of_file(Path(given))
        if ":" not in given:  # what was given is not repeated: it may be a key without its name
            raise WrongKeys(f"--keys, or {KEYS}, names no file that is there, and is no key (ID:KEY) either")
        return read_keys(given)
    except ImportError as error:
        raise WrongStore(str(error)) from None


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # it is too long for a path, such as several keys
        return False
