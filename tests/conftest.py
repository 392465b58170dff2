"""What every test of the child needs: a child."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from .child.child_process import ChildProcess
from .child.forked import Zygote

# A shell without job control starts what runs in the background with SIGINT ignored, which all that we start
# here would inherit: tests that send one would then wait in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    """A child that nobody has spoken to; it must leave with status 0 and a silent stderr."""
    with ChildProcess() as process:
        yield process


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests that count processes come after the zygote of those with a child."""
    if "child" not in getattr(item, "fixturenames", ()):
        Zygote.end()


def pytest_sessionfinish() -> None:
    Zygote.end()
