"""Workers with and without the keys of a store that is encrypted."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from flowcage import Host, RunOptions, SqliteStore
from flowcage.host.durable.sealing import Keyring
from flowcage.host.tenants.working import taking

from ..resume.sleepers import DEADLINE_S, Agents, Clock, opened, until

ASKS = "export default await agent('one')"


def worker(store: SqliteStore) -> Host:
    return Host(store=store, worker=True, options=RunOptions(agent=Agents()))


async def held(store: SqliteStore) -> list[str]:
    """Why runs wait, once one of them says so."""
    with trio.fail_after(DEADLINE_S):
        while not any(found := [each.held for each in await store.runs()]):  # noqa: ASYNC110
            await trio.sleep(0.01)
    return found


def test_a_worker_without_the_key_puts_a_run_back_and_takes_no_others_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "NO_CHILD_SECONDS", 1e9)

    async def main() -> None:
        clock, ring = Clock(1_700_000_000_000), Keyring({"k": bytes(32)})
        async with (
            opened(tmp_path, clock, sealer=ring) as sealed,
            opened(tmp_path, clock) as bare,
            Host(store=sealed, options=RunOptions()) as client,
            worker(bare) as keyless,
        ):
            first = await client.submit(ASKS)
            assert "encrypted with the key 'k'" in (await held(bare))[0]
            second = await client.submit(ASKS)
            assert keyless._taking is not None
            assert not keyless._taking._may_take()
            async with worker(sealed):
                assert (await until(sealed, second, "ended")).verdict == "completed"
                clock.now += 61_000
                assert (await until(sealed, first, "ended")).verdict == "completed"

    trio.run(main)
