"""Who may use the service: bearer tokens and limits, from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from flowcage import TenantLimits


class Tenants:
    """The tenants of one file: ``{name: {"token": …, "limits": {…}}}``, limits as in `TenantLimits`.

    Attributes:
        limits: by name.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds something else.
    """

    def __init__(self, path: Path) -> None:
        members = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(members, dict):
            raise ValueError("expected an object of tenants by name")
        self.limits: Mapping[str, TenantLimits] = {name: _limits(name, members[name]) for name in members}
        # By hash, so that the time of a look-up does not depend on the token.
        self._names: Mapping[bytes, str] = {_hash(members[name]["token"]): name for name in members}
        if len(self._names) < len(members):
            raise ValueError("two tenants have the same token")

    def tenant_of(self, request: Request) -> str:
        """The tenant of a request, by its ``Authorization`` header.

        Raises:
            HTTPException: 401.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        name = self._names.get(_hash(token)) if scheme.lower() == "bearer" else None
        if name is None:
            detail = "send 'Authorization: Bearer TOKEN' with a token of this service"
            raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})
        return name


def _limits(name: str, member: Any) -> TenantLimits:
    if not isinstance(member, dict) or not isinstance(member.get("token"), str) or not member["token"]:
        raise ValueError(f"tenant {name!r}: expected an object with a 'token', a string")
    try:
        return TenantLimits(**member.get("limits", {}))
    except (TypeError, ValueError) as error:  # an unknown limit, or not a number
        raise ValueError(f"tenant {name!r}, limits: {error}") from None


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
