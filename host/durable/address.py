"""Where a store is: a file, or a schema of a Postgres database.

An address is shown without its password, and errors about one do not repeat it: a password with a character
that has a meaning in addresses would be taken for a host, and told as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote

SCHEMA = "flowcage"
PASSWORD = "FLOWCAGE_STORE_PASSWORD"  # a variable of the environment
_BEGINS = ("postgresql://", "postgres://")
_FORM = re.compile(r"(postgres(?:ql)?://)(?:([^@/?#\s]*)@)?([^@?#\s]*)(?:\?([^@?#\s]*))?")
_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")
_NAME = re.compile(r"[a-z_]+")
_OTHER, _OPTIONS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://"), re.compile(r"\?([a-z_]+)=")
_GIVEN_BESIDE = ("blobs", "keys")
_handed_on: dict[str, str] = {}
_ENCODE = "in a password write %40 for @, %2F for /, %3A for :, %3F for ?, %23 for # and %25 for %"


@dataclass(frozen=True)
class PostgresAddress:
    """Of a database, and the schema in it.

    Attributes:
        server: as libpq takes it, without a password.
        schema: that the tables are in.
        password: None where libpq is to find one, such as in ``~/.pgpass``.
    """

    server: str
    schema: str = SCHEMA
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        if self.schema == SCHEMA:
            return self.server
        return _with(self.server, f"schema={self.schema}")

    @property
    def for_libpq(self) -> str:
        """The address with its password."""
        if self.password is None:
            return self.server
        return _with(self.server, f"password={quote(self.password, safe='')}")

    def with_password(self, password: str | None) -> PostgresAddress:
        """The address with this password, if it has none."""
        return self if password is None or self.password is not None else replace(self, password=password)


StorePlace: TypeAlias = Path | PostgresAddress


def file_of(place: StorePlace) -> Path | None:
    """The file, where it is one."""
    return place if isinstance(place, Path) else None


def hand_on(name: str, value: str) -> None:
    """From now on, processes of this program that this one starts find a variable that others do not."""
    _handed_on[name] = value


def environment_for(place: StorePlace | None) -> Mapping[str, str]:
    """What another process of this program has to find in its environment, beside the address as shown."""
    if isinstance(place, PostgresAddress) and place.password is not None:
        return {**_handed_on, PASSWORD: place.password}
    return dict(_handed_on)


def is_address(text: str) -> bool:
    """Whether a text is meant as the address of a database.

    Raises:
        ValueError: it is an address of another kind, or a file with options: a folder of that name would be
            made. The message has no part of it.
    """
    if text.startswith(_BEGINS):
        return True
    if _OTHER.match(text):
        raise ValueError("a store is a file, or postgresql://USER@HOST/DATABASE; this is another address")
    if (found := _OPTIONS.search(text)) is not None:
        _require_name(found[1])
        raise ValueError("a store in a file has no options behind ?")
    return False


def read_address(text: str) -> PostgresAddress:
    """Read ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME``; each part may be left out.

    Raises:
        ValueError: it is none. The message has no part of it that may be of a password.
    """
    found = _FORM.fullmatch(text) if text.isprintable() else None
    if found is None or re.search("%(?![0-9A-Fa-f]{2})", text):
        raise ValueError(f"this is no address postgresql://USER:PASSWORD@HOST/DATABASE; {_ENCODE}")
    begin, user, rest, query = found.groups()
    name, colon, password = (user or "").partition(":")
    if ":" in password:
        raise ValueError(f"this address has more than one : before its @; {_ENCODE}")
    given, kept = {"schema": SCHEMA}, []
    if colon:
        given["password"] = unquote(password)
    for pair in (query or "").split("&") if query else ():
        key, _, value = pair.partition("=")
        _require_name(key)
        if key in ("schema", "password"):
            given[key] = unquote(value)
        else:
            kept.append(pair)
    if _SCHEMA.fullmatch(given["schema"]) is None:
        raise ValueError("the schema of an address is a name of at most 50 of A-Z, a-z, 0-9 and '_'")
    server = f"{begin}{f'{name}@' if name else ''}{rest}"
    return PostgresAddress(
        _with(server, "&".join(kept)) if kept else server, given["schema"], given.get("password")
    )


def _require_name(key: str) -> None:
    if _NAME.fullmatch(key) is None:
        raise ValueError(f"what follows ? in an address is NAME=VALUE, joined by &; {_ENCODE}")
    if key in _GIVEN_BESIDE:
        beside = f"give --{key}, or FLOWCAGE_STORE_{key.upper()}"
        raise ValueError(f"{key} is not taken in the address of a store; {beside}")
    if key != "password" and ("password" in key or "secret" in key):
        raise ValueError(f"{key} is not taken in an address; put it into a service file of libpq")


def _with(server: str, pairs: str) -> str:
    return f"{server}{'&' if '?' in server else '?'}{pairs}"
