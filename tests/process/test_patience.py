"""How long a child may take for an answer: by its CPU, and at last by the host's clock."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from flowcage.host import ChildSilent, CpuExceeded, Limits, MemoryExceeded, ProtocolViolation, RunError
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.channel import Channel
from flowcage.host.process.glances import Glances, Patience, Watch
from flowcage.protocol.messages import Initialize

from ..tenants.test_scheduler import on_a_mock_clock

REPLY = b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "", "data": {"kind": "x"}}}\n'


class Mute:
    """A process that answers when it is told to, and has a share of a core since it was made."""

    is_caged = True

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._began = trio.current_time()
        self.resident = 0
        self.said, self._heard = trio.open_memory_channel[bytes](1)

    def cpu_seconds(self) -> float | None:
        return None if self._share is None else self._share * (trio.current_time() - self._began)

    def resident_bytes(self) -> int:
        return self.resident

    def has_ended(self) -> bool:
        return False

    def take_stderr(self) -> bool:
        return False

    async def collect_stderr(self) -> None:
        raise AssertionError

    def write_nowait(self, data: bytes) -> int:
        return len(data)

    async def read(self) -> bytes:
        return await self._heard.receive()


def channel_to(process: Mute, allowance: Allowance | None = None) -> Channel:
    channel = Channel(process, allowance or Allowance())  # type: ignore[arg-type]
    channel.patience = Patience().for_steps(Limits(step_timeout_ms=1000), 0.5)
    channel.send([channel.encode(Initialize("1.0", None, Limits(), None))])
    return channel


async def wait_for(process: Mute, channel: Channel, allowance: Allowance | None = None) -> None:
    """Wait for a reply as `Child.run` does.

    Raises:
        RunError: for which the child was given up.
    """
    lost: list[RunError] = []
    async with trio.open_nursery() as nursery:

        def give_up(error: RunError) -> None:
            lost.append(error)
            nursery.cancel_scope.cancel()

        glances = Glances()
        nursery.start_soon(glances.run)
        glances.begin(Watch(process, channel, allowance or Allowance(), nursery.start_soon, give_up))
        with suppress(ProtocolViolation):  # by the reply, which is none of a correct child's
            await channel.receive()
        nursery.cancel_scope.cancel()
    if lost:
        raise lost[0]


@pytest.mark.parametrize(
    ("share", "seconds", "told"),
    [
        (1.0, 1.5, r"1.5 s of CPU \(stepTimeoutMs and answerGraceSeconds\) and was killed"),
        (0.5, 3.0, "1.5 s of CPU"),
        (0.2, 7.5, "1.5 s of CPU"),
        (0.01, 10.5, "did not answer in 10.5 s"),
        (0.0, 10.5, "did not answer in 10.5 s"),
        (None, 1.5, "1.5 s of CPU"),  # that it had no more than its one thread can use is all that is known
    ],
)
@on_a_mock_clock
async def test_a_child_that_does_not_answer_is_given_up(
    share: float | None, seconds: float, told: str
) -> None:
    process = Mute(share)
    channel = channel_to(process)
    began = trio.current_time()
    with pytest.raises(ChildSilent, match=told):
        await wait_for(process, channel)
    assert seconds <= trio.current_time() - began <= seconds + 0.3


def held_up(seconds: float) -> None:
    """Have the event loop come late, as a handler does that blocks."""
    trio.lowlevel.current_clock().jump(seconds)  # type: ignore[attr-defined]


@on_a_mock_clock
async def test_what_the_host_itself_was_late_is_not_the_childs() -> None:
    process = Mute(0.0)
    channel = channel_to(process)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def be_late() -> None:
            await trio.sleep(5)
            held_up(20)

        nursery.start_soon(be_late)
        with pytest.raises(ChildSilent):
            await wait_for(process, channel)
    assert 30.4 <= trio.current_time() - began <= 30.9


@on_a_mock_clock
async def test_each_reply_has_a_patience_of_its_own() -> None:
    process = Mute(0.0)
    channel = channel_to(process)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            for _ in range(3):
                await trio.sleep(8)
                channel.answered += 1
                channel.messages += 2

        nursery.start_soon(answer)
        with pytest.raises(ChildSilent):
            await wait_for(process, channel)
    assert 34.4 <= trio.current_time() - began <= 34.9


@on_a_mock_clock
async def test_a_child_of_which_no_reply_is_due_may_take_its_time() -> None:
    process = Mute(1.0)
    channel = channel_to(process)
    process.resident = channel.patience.resident_bytes + 1
    channel.answered = 1  # and yet this test waits for another
    with trio.move_on_after(100) as waiting:
        await wait_for(process, channel)
    assert waiting.cancelled_caught


@pytest.mark.parametrize("repeated", range(20))  # tasks of one batch run in any order
@on_a_mock_clock
async def test_a_reply_that_came_while_the_loop_was_held_up_counts(repeated: int) -> None:  # noqa: ARG001
    process = Mute(1.0)
    channel = channel_to(process)
    async with trio.open_nursery() as nursery:

        async def be_late() -> None:
            await trio.sleep(0.55)
            process.said.send_nowait(REPLY)
            held_up(20)

        nursery.start_soon(be_late)
        await wait_for(process, channel)
    assert channel.answered == 1


@on_a_mock_clock
async def test_what_all_children_of_the_run_used_is_looked_at_meanwhile() -> None:
    allowance = Allowance(cpu_seconds=10)
    process = Mute(0.0)
    channel = channel_to(process, allowance)
    began = trio.current_time()
    allowance.charge_cpu(10)
    with pytest.raises(CpuExceeded):
        await wait_for(process, channel, allowance)
    assert trio.current_time() - began < 0.2


@on_a_mock_clock
async def test_memory_is_looked_at_meanwhile() -> None:
    process = Mute(1.0)
    channel = channel_to(process)
    process.resident = channel.patience.resident_bytes + 1
    with pytest.raises(MemoryExceeded):
        await wait_for(process, channel)
