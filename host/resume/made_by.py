"""What a run was made by, for a warning where another version goes on with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from flowcage.protocol.version import PACKAGE_VERSION


@cache
def made_by() -> Mapping[str, str]:
    """The versions of this host."""
    return MappingProxyType({"flowcage": PACKAGE_VERSION})
