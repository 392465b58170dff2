"""Who may use the service: bearer tokens and limits, from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from flowcage.host import TenantLimits

from .problems import Problem


class Tenants:
    """The tenants of one file: ``{name: {"token": …, "limits": {…}}}``, limits as in `TenantLimits`.

    Attributes:
        limits: by name.
    """

    def __init__(self, path: Path) -> None:
        members = json.loads(path.read_text())
        self.limits: Mapping[str, TenantLimits] = {
            name: TenantLimits(**member["limits"]) for name, member in members.items()
        }
        # By hash: how long a look-up takes then tells nothing of the token.
        self._names: Mapping[bytes, str] = {_hash(member["token"]): name for name, member in members.items()}

    def authenticate(self, authorization: str) -> str:
        """The tenant of an ``Authorization`` header.

        Raises:
            Problem: 401.
        """
        scheme, _, token = authorization.partition(" ")
        name = self._names.get(_hash(token)) if scheme.lower() == "bearer" else None
        if name is None:
            detail = "send 'Authorization: Bearer TOKEN' with a token of this service"
            raise Problem(401, "unauthorized", detail, {"WWW-Authenticate": "Bearer"})
        return name


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
