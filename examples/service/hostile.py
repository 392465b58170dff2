"""``python -m examples.service.hostile PORT [ATTACK…]``: attacks as one tenant, until terminated."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import trio

from .client import get_statistics, post_run, sent

TOKEN = "hostile"
SPIN = "for (;;);"
HOG = "const kept = []; for (;;) kept.push(new Array(10_000).fill(kept.length));"
AGENTS = """const flood = () => parallel(Array.from({ length: 200 }, () => () => agent('x'.repeat(1_000))));
for (;;) await flood();"""
LOGS = "for (;;) { log('x'.repeat(1_000)); }"
TRICKLE = "for (let i = 0; ; i++) { log('x'.repeat(10_000)); await agent('more'); }"
SOURCES = (SPIN, HOG, AGENTS, LOGS)
QUEUED = 1_900


async def repeat(source: str, port: int) -> None:
    """Run it again and again, whatever the answer."""
    while True:
        await post_run(port, TOKEN, {"source": source})


async def fill_queue(port: int) -> None:
    """Keep thousands of runs queued, of all kinds of attack."""
    async with trio.open_nursery() as nursery:
        for number in range(QUEUED):
            nursery.start_soon(_again, partial(repeat, SOURCES[number % len(SOURCES)]), port)
            await trio.sleep(0.001)


async def read_slowly(port: int) -> None:
    """Ask for the events of a run and read them very slowly."""
    while True:
        run_id = f"trickle-{secrets.token_hex(8)}"
        async with sent(port, TOKEN, "POST /runs?wait", {"source": TRICKLE, "runId": run_id}):
            async with sent(port, TOKEN, f"GET /runs/{run_id}/events") as stream:
                while await stream.receive_some(1):  # noqa: ASYNC110 - no event to wait for
                    await trio.sleep(0.5)
            await trio.sleep(0.1)


async def leave(port: int) -> None:
    """Start a run and disconnect."""
    while True:
        async with sent(port, TOKEN, "POST /runs?wait", {"source": SPIN}):
            await trio.sleep(0.1)


# name: how many at once, and what each does
ATTACKS: dict[str, tuple[int, Callable[[int], Awaitable[None]]]] = {
    "spin": (10, partial(repeat, SPIN)),
    "hog": (10, partial(repeat, HOG)),
    "agents": (10, partial(repeat, AGENTS)),
    "logs": (10, partial(repeat, LOGS)),
    "slow": (20, read_slowly),
    "leave": (10, leave),
    "queue": (1, fill_queue),
}


async def attack(port: int, names: list[str]) -> None:
    """Run all attacks at once."""
    async with trio.open_nursery() as nursery:
        for name in names:
            count, function = ATTACKS[name]
            for _ in range(count):
                nursery.start_soon(_again, function, port)
        enough = QUEUED if "queue" in names else 1
        while (await get_statistics(port, TOKEN)).body["queued"] < enough:  # noqa: ASYNC110 - another process counts
            await trio.sleep(0.2)
        print("at work", flush=True)


async def _again(function: Callable[[int], Awaitable[None]], port: int) -> None:
    while True:
        with suppress(OSError, trio.BrokenResourceError):
            await function(port)
        await trio.sleep(0.1)


def main() -> None:
    """Read the command line and attack."""
    parser = argparse.ArgumentParser(prog="python -m examples.service.hostile", description=__doc__)
    parser.add_argument("port", type=int, help="of a service on 127.0.0.1 that has a tenant with this token")
    parser.add_argument("attacks", nargs="*", metavar="attack", help=f"of {', '.join(ATTACKS)}; all of them")
    chosen = parser.parse_args()
    if unknown := set(chosen.attacks) - set(ATTACKS):
        parser.error(f"there is no attack {unknown.pop()!r}; there are {', '.join(ATTACKS)}")
    try:
        socket.create_connection(("127.0.0.1", chosen.port)).close()
    except (OSError, OverflowError) as error:
        parser.error(f"port {chosen.port}: {error}")
    os.nice(10)  # a real attacker would be on another machine
    interrupted = False
    try:
        trio.run(attack, chosen.port, chosen.attacks or list(ATTACKS))
    except* KeyboardInterrupt:
        interrupted = True
    sys.exit(130 if interrupted else 0)


if __name__ == "__main__":
    main()
