"""A host whose network is gone: nobody closes its connections, and both sides have to notice."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from tests.durable.places import DEADLINE_S, ROOT, host

from .servers import ServerPlace, free_port, is_installed, server

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not is_installed(), reason="Postgres is not installed, or refuses root"),
    pytest.mark.skipif(os.getuid() != 0 or shutil.which("ip") is None, reason="needs root, and ip"),
]
HERE, THERE = "10.99.7.1", "10.99.7.2"
PROGRAM = """
from flowcage.host.durable.errors import Fenced
from flowcage.host.run.core.inputs import Turn
import trio
journal = await begun(store, "r")
print("begun", flush=True)
try:
    while True:
        await written(journal, Turn("a"))
        await trio.sleep(0.1)
except Fenced:
    print("fenced", flush=True)
await store.aclose()
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def another_machine() -> Iterator[tuple[str, str]]:
    """A network namespace with a line to this one: its name, and that of this end of the line."""
    name = f"fc{secrets.token_hex(3)}"
    here, there = f"{name}a", f"{name}b"
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError:
        pytest.skip("no network namespace can be made")
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        ip("addr", "add", f"{HERE}/30", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "addr", "add", f"{THERE}/30", "dev", there)
        ip("-n", name, "link", "set", there, "up")
        yield name, here
    finally:
        ip("netns", "del", name)  # and the line with it


async def taken_over(place: ServerPlace, line: str) -> None:
    async with host(place) as store:
        assert await store.claim("r") is None
        ip("link", "set", line, "down")
        with trio.fail_after(DEADLINE_S):
            while await store.claim("r") is None:  # noqa: ASYNC110
                await trio.sleep(0.2)
        ip("link", "set", line, "up")


def test_a_host_that_is_cut_off_is_given_up_and_finds_that_out(tmp_path: Path) -> None:
    """By its kernel alone the server would notice after two hours."""
    with another_machine() as (name, line), server(listen_addresses=HERE, port=str(free_port())) as postgres:
        postgres.write("data/pg_hba.conf", f"local all all trust\nhost all all {THERE}/32 trust\n")
        postgres.restart("fast")
        place = ServerPlace(tmp_path, postgres.address)
        place.open().close()
        address = f"{postgres.tcp_address.replace('127.0.0.1', HERE)}|{place.schema}"
        words = ["-m", "tests.durable.other_host", address, PROGRAM]
        with subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, *words],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "begun\n"
                trio.run(taken_over, place, line)
                assert process.stdout.readline() == "fenced\n"
            finally:
                process.kill()
