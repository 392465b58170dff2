"""Whole runs in prepared children."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from flowcage.host import ChildDied, Limits, RunOptions, run_workflow
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.launch import zygote_process
from flowcage.host.process.launch.greeting import initialize_message
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.launch.zygote import Zygote
from flowcage.protocol.layers import missing_layers

from ..host.launchers import Watched, watched, zygotes
from .prepared import FIRST, changed
from .test_launchers import DEADLINE_SECONDS, LIMITS_THAT_HOLD, verdict_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a zygote is for Linux")

Test = Callable[[Watched], Awaitable[None]]


class Telling(Zygote):
    """Tells each child its first message, as a reserve does, and hands out prepared ones only."""

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008 - it is immutable
        super().__init__()
        self._message = initialize_message(limits, None)
        self._is_prepared = False

    async def launch(self, _initialize: object = None) -> Spawned:
        """Fork a child that has been told."""
        while not self._is_prepared:
            for _ in range(FIRST):
                await ChildProcess(await super().launch(self._message)).close(kill=True)
            self._is_prepared = True
        return await super().launch(self._message)


def with_prepared(test: Test, limits: Limits = Limits()) -> None:  # noqa: B008 - it is immutable
    """Run an async test with a launcher of prepared children, which must leave nothing behind."""

    async def main() -> None:
        with trio.fail_after(DEADLINE_SECONDS):
            async with watched(lambda: Telling(limits)) as launcher:
                await test(launcher)

    trio.run(main)


async def echo(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.prompt)


# A zygote whose prepared children can import nothing, and that uses its idle time up at once.
_IMPORTING_NOTHING = """
import sys
from flowcage.child import zygote
zygote._is_asked = lambda _control: False

class Refuse:
    def find_spec(self, name, *_):
        raise ImportError(name + " was not loaded before the fork")

live = prepared.Prepared.live
def import_nothing(self):
    sys.meta_path.insert(0, Refuse())
    live(self)
prepared.Prepared.live = import_nothing
"""


def test_a_prepared_child_finds_everything_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote_process, "_COMMAND", changed(_IMPORTING_NOTHING))

    async def test(launcher: Watched) -> None:
        options = RunOptions(launcher=launcher, agent=echo)
        source = "phase('p'); log(args); export default agent('x', {label: 'l'}).then((x) => [x])"
        for _ in range(2):
            outcome = await run_workflow(source, options=options)
            assert outcome.result == ["x"]
            assert missing_layers(outcome.report.isolation) == []

    with_prepared(test)


@LIMITS_THAT_HOLD
def test_every_limit_holds_in_a_prepared_child(source: str, limits: dict[str, int], verdict: Verdict) -> None:
    async def test(launcher: Watched) -> None:
        assert await verdict_of(source, launcher, limits=Limits(**limits)) == verdict

    with_prepared(test, Limits(**limits))


def test_prepared_children_share_nothing_that_a_run_changes() -> None:
    async def test(launcher: Watched) -> None:
        options = RunOptions(launcher=launcher)
        source = "globalThis.mark = 1; Array.prototype.mine = 2; export default [mark, [].mine]"
        assert (await run_workflow(source, options=options)).result == [1, 2]
        source = "export default [typeof mark, typeof [].mine]"
        assert (await run_workflow(source, options=options)).result == ["undefined", "undefined"]

    with_prepared(test)


def test_a_prepared_child_goes_on_when_its_zygote_is_killed() -> None:
    async def test(launcher: Watched) -> None:
        async def strike(call: AgentCall) -> AgentAnswer:
            for process in zygotes(launcher):
                process.kill()
            return AgentAnswer(call.prompt)

        options = RunOptions(launcher=launcher, agent=strike)
        for _ in range(2 * FIRST):
            assert (await run_workflow("export default agent('x')", options=options)).result == "x"

    with_prepared(test)


def test_a_prepared_child_that_was_never_told_of_is_ended_and_its_answer_is_nobodys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(launcher: Watched) -> None:
        options = RunOptions(launcher=launcher)
        assert (await run_workflow("return 1", options=options)).result == 1
        real = zygote_process.ZygoteProcess._receive

        async def lose(self: zygote_process.ZygoteProcess) -> bytes:
            monkeypatch.setattr(zygote_process.ZygoteProcess, "_receive", real)
            pid = int(await real(self))
            while not _is_filtered(pid):  # then it has left the zygote's group, and answers
                await trio.lowlevel.checkpoint()
            raise zygote_process.ZygoteLost("the reply was lost")

        monkeypatch.setattr(zygote_process.ZygoteProcess, "_receive", lose)
        assert (await run_workflow("return 2", options=options)).result == 2

    with_prepared(test)


def _is_filtered(pid: int) -> bool:
    return "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()


def test_a_prepared_child_that_a_signal_ends_is_told_as_such() -> None:
    async def test(launcher: Watched) -> None:
        async def kill(call: AgentCall) -> AgentAnswer:
            os.kill(launcher.pids[-1], signal.SIGSEGV)
            await trio.sleep_forever()
            raise AssertionError(call)

        with pytest.raises(ChildDied) as caught:
            await run_workflow("export default agent('x')", options=RunOptions(launcher=launcher, agent=kill))
        assert caught.value.signal == "SIGSEGV"
        assert launcher.distrusted

    with_prepared(test)
