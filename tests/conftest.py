"""What every test of the child needs: a child."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .child.child_process import ChildProcess


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    """A child that nobody has spoken to; it must leave with status 0 and a silent stderr."""
    with ChildProcess() as process:
        yield process
