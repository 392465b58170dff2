"""How long a child may take for an answer: by its CPU, and at last by the host's clock."""

from __future__ import annotations

import pytest
import trio

from flowcage.host import ChildSilent, CpuExceeded, Limits, MemoryExceeded
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.channel import Channel, Patience
from flowcage.protocol.messages import Initialize

from ..tenants.test_scheduler import on_a_mock_clock


class Mute:
    """A process that never answers, and has a share of a core since it was made."""

    sent_ahead = b""

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._began = trio.current_time()
        self.resident = 0

    def cpu_seconds(self) -> float | None:
        return None if self._share is None else self._share * (trio.current_time() - self._began)

    def resident_bytes(self) -> int:
        return self.resident

    def write_nowait(self, data: bytes) -> int:
        return len(data)

    async def read(self) -> bytes:
        await trio.sleep_forever()
        raise AssertionError


def channel_to(process: Mute, allowance: Allowance | None = None) -> Channel:
    channel = Channel(process, allowance or Allowance())  # type: ignore[arg-type]
    channel.patience = Patience().for_steps(Limits(step_timeout_ms=1000), 0.5)
    channel.send([channel.encode(Initialize("1.0", None, Limits(), None))])
    return channel


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
    channel = channel_to(Mute(share))
    began = trio.current_time()
    with pytest.raises(ChildSilent, match=told):
        await channel.receive()
    assert seconds <= trio.current_time() - began <= seconds + 0.2


@on_a_mock_clock
async def test_what_the_host_itself_was_late_is_not_the_childs() -> None:
    channel = channel_to(Mute(0.0))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def be_late() -> None:
            clock = trio.lowlevel.current_clock()
            await trio.sleep(5)
            clock.jump(20)  # type: ignore[attr-defined]

        nursery.start_soon(be_late)
        with pytest.raises(ChildSilent):
            await channel.receive()
    assert 30.4 <= trio.current_time() - began <= 30.8


@on_a_mock_clock
async def test_what_all_children_of_the_run_used_is_looked_at_meanwhile() -> None:
    allowance = Allowance(cpu_seconds=10)
    channel = channel_to(Mute(0.0), allowance)
    began = trio.current_time()
    allowance.charge_cpu(10)
    with pytest.raises(CpuExceeded):
        await channel.receive()
    assert trio.current_time() - began < 0.2


@on_a_mock_clock
async def test_memory_is_looked_at_meanwhile() -> None:
    process = Mute(1.0)
    channel = channel_to(process)
    process.resident = channel.patience.resident_bytes + 1
    with pytest.raises(MemoryExceeded):
        await channel.receive()
