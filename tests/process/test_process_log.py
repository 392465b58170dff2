"""What a log has of zygotes that are lost, or replaced because a child of theirs crashed."""

from __future__ import annotations

import os
import signal

import pytest

from ..host.launchers import Watched
from .test_zygote import only_zygote, trivial, with_zygote


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, object]]:
    return [
        (record.levelname, record.getMessage().partition(":")[0], getattr(record, "forks", None))
        for record in caplog.records
        if record.name == "flowcage.process"
    ]


def test_a_zygote_that_is_killed_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def test(launcher: Watched) -> None:
        await trivial(launcher)
        os.kill(only_zygote(launcher), signal.SIGKILL)
        await trivial(launcher)

    with_zygote(test)
    assert told(caplog) == [("WARNING", "a zygote was lost", 1)]


def test_a_crash_replaces_the_zygote_and_is_a_warning_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test(launcher: Watched) -> None:
        await trivial(launcher)
        launcher.distrust()
        launcher.distrust()
        await trivial(launcher)

    with_zygote(test)
    assert told(caplog) == [("WARNING", "a child crashed", 1)]
