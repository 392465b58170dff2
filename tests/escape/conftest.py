"""One fork server for all the attacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from .attack import MACHINE
from .attacker import Attacker
from .numbers import NUMBERS


@pytest.fixture(scope="module", params=["by itself", "prepared"])
def attacker(request: pytest.FixtureRequest) -> Iterator[Attacker]:
    """Children with native code execution, one for each attack."""
    if sys.platform != "linux" or MACHINE not in NUMBERS:
        pytest.skip("the system call numbers of this machine were not written down")
    with Attacker(way=request.param) as attacker:
        yield attacker
