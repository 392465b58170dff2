"""Whoever seals anew is killed at each of its steps: before and after each commit, and each object."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import trio

from flowcage.host.durable.blobs.folder import Folder
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.sealing import Keyring
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.run.core.inputs import Answered

from .places import ROOT, begun, workflow

KEYS = {name: name.encode().ljust(32) for name in ("old", "new")}
ANSWERS = [Answered(str(number), f"answer {number}") for number in range(60)]  # more than one commit has


def options(folder: Path, *names: str, **more: object) -> StoreOptions:
    keys = Keyring({name: KEYS[name] for name in names})
    return StoreOptions(sealer=keys, blobs=str(folder), blobs_from=3_000)._replace(**more)  # type: ignore[arg-type]


def store(folder: Path, *names: str, **more: object) -> SqliteStore:
    return SqliteStore.open(folder / "runs.db", options(folder, *names, **more), durability="relaxed")


class Steps:
    """Ends the process before the n-th step."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_at(number: int, folder: Path) -> None:
    """Seal anew in this process, and be killed before a step."""
    step, put = Steps(number), Folder.put

    def put_and_step(self: Folder, name: str, data: bytes) -> None:
        step()
        put(self, name, data)
        step()

    Folder.put = put_and_step  # type: ignore[method-assign]

    async def main() -> None:
        made = store(folder, "new", "old", fault=step)
        assert (await made.reseal()).damaged == []
        os._exit(0)

    trio.run(main)


def is_killed_at(number: int, folder: Path) -> bool:
    program = f"from tests.durable.test_resealing_killed import *; killed_at({number}, Path({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0


def test_a_store_is_readable_wherever_its_sealing_anew_was_killed(tmp_path: Path) -> None:
    source, args = f"// {secrets.token_hex(20_000)}", f'"{secrets.token_hex(50_000)}"'

    async def make() -> None:
        made = store(tmp_path, "old")
        await begun(made, "r", *ANSWERS, root=workflow(source=source, args=args), settings="settings")
        await made.aclose()

    async def look(*names: str) -> None:
        made = store(tmp_path, *names)
        try:
            record = await made.load("r")
            assert [each.input for each in record.entries] == ANSWERS
            assert (record.workflows[""].source, record.workflows[""].args) == (source, args)
            assert record.settings == "settings"
        finally:
            await made.aclose()

    async def finish() -> None:
        made = store(tmp_path, "new", "old")
        try:
            assert (await made.reseal()).damaged == []
            assert await made.reseal() == (0, [])
            assert (await made.sweep(made.now() + 1)).missing == []
        finally:
            await made.aclose()

    trio.run(make)
    number = 1
    while is_killed_at(number, tmp_path):
        trio.run(look, "new", "old")
        number += 1
    trio.run(look, "new")
    trio.run(finish)
    trio.run(look, "new")
    assert number > 5
    assert len([each for each in tmp_path.rglob("*-*") if each.is_file() and "owners" not in str(each)]) == 2
