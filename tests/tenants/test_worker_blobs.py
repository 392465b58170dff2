"""Workers whose store keeps large values elsewhere, where something is wrong with that."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from flowcage import Host, RunOptions
from flowcage.host.tenants.working import taking

from ..resume.sleepers import DEADLINE_S, Agents, Clock, opened

LARGE = f"// {secrets.token_hex(10_000)}\nexport default await agent('one')"


def unreadable(folder: Path) -> None:
    folder.rename(folder.with_name("away"))


def linked(folder: Path) -> None:
    (found,) = [each for each in folder.rglob("*") if each.is_file()]
    found.rename(folder.with_name("elsewhere"))
    found.symlink_to(folder.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("damage", "why", "rests"), [(unreadable, "there is no folder", True), (linked, "it is a link", False)]
)
def test_a_run_whose_source_cannot_be_read_is_held_and_not_taken_at_once_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    why: str,
    rests: bool,
) -> None:
    monkeypatch.setattr(taking, "NO_CHILD_SECONDS", 1e9)
    blobs = tmp_path / "blobs"
    blobs.mkdir()

    async def main() -> None:
        options = RunOptions(agent=Agents())
        async with opened(tmp_path, Clock(), blobs=str(blobs), blobs_from=1_000) as store:
            async with Host(store=store, options=options) as client:
                run_id = await client.submit(LARGE)
                damage(blobs)
                async with Host(store=store, options=options, worker=True) as host:
                    with trio.fail_after(DEADLINE_S):
                        while not (found := await store.get(run_id)).held:  # noqa: ASYNC110
                            await trio.sleep(0.01)
                    assert why in found.held
                    assert host._taking is not None
                    assert host._taking._may_take() is not rests
            assert found.wake_at is not None

    trio.run(main)
