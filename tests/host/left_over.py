"""What a test leaves of its own: other tests may have left something before it, or have it at work."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def nothing_left(*, recursive: bool = False) -> Iterator[None]:
    """A block that must leave no process and no descriptor of this process that was not there before.

    Args:
        recursive: whether children of children count, too.
    """
    descriptors, processes = _descriptors(), set(psutil.Process().children(recursive))
    yield
    assert set(psutil.Process().children(recursive)) - processes == set()
    assert _descriptors() - descriptors == set()


@contextmanager
def descriptors_free(count: int) -> Iterator[None]:
    """A block in which so many descriptors can be opened, whichever numbers are open already."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    end = 1 + max(map(int, _descriptors()))
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (end + count, hard))
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


def _descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
