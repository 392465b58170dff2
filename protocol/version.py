"""The versions of the wire contract that this package supports."""

from __future__ import annotations

from collections.abc import Container

SUPPORTED_VERSIONS = ("1.0",)  # the newest first
PROTOCOL_VERSION = SUPPORTED_VERSIONS[0]
PACKAGE_VERSION = "0.1.0"


def newest_common(supported: Container[str]) -> str | None:
    """The newest version that both this package and a peer support; None where there is none."""
    return next((version for version in SUPPORTED_VERSIONS if version in supported), None)
