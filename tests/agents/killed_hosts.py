"""Hosts that are killed at random moments while their programs leave processes behind.

``python -m tests.agents.killed_hosts FOLDER TRIALS SEED`` writes a line of JSON for each: how many processes
lived at that moment, and whether all of them have ended. Some hosts are cancelled instead. The hosts are
forked, since to import flowcage takes longer than a trial.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import uuid

import trio

from flowcage.host.agents import AgentCall
from flowcage.host.agents.programs.command import command_agent

from .leavers import LEAVERS, marked, wait_gone

# Names that are written in a trial until its host is killed; programs that end are started again.
_MOST_EVENTS = 40
_MOST_SECONDS_MORE = 0.02


def main(folder: str, trials: int, seed: int) -> None:
    rng = random.Random(seed)
    events = os.path.join(folder, "events")
    os.mkfifo(events)
    reader = os.open(events, os.O_RDWR)
    os.environ["EVENTS"] = events
    for number in range(trials):
        kind = "all" if number == trials - 1 else rng.choice(["moment"] * 4 + ["bystander", "cancel"])
        os.environ["MARK"] = mark = uuid.uuid4().hex
        gate, opener = os.pipe()
        host = os.fork()
        if host == 0:
            trio.run(_host, kind, gate, opener)
            os._exit(0)
        os.close(gate)
        lived = _end(kind, host, reader, mark, rng)
        gone = wait_gone(mark) if kind != "cancel" else marked(mark) == []
        os.close(opener)
        while select.select([reader], [], [], 0)[0]:
            os.read(reader, 65_536)
        print(json.dumps({"kind": kind, "lived": lived, "gone": gone}), flush=True)


def _end(kind: str, host: int, reader: int, mark: str, rng: random.Random) -> int:
    """End a host, at a moment of this kind."""
    if kind == "moment":
        _read(reader, rng.randrange(_MOST_EVENTS))
        select.select([], [], [], rng.random() * _MOST_SECONDS_MORE)
    elif kind == "bystander":
        _read(reader, {*LEAVERS} - {"ends"})
        os.kill(host, signal.SIGUSR1)
        _read(reader, {"bystander"})
    else:
        _read(reader, {*LEAVERS})
    lived = len(marked(mark))
    os.kill(host, signal.SIGTERM if kind == "cancel" else signal.SIGKILL)
    os.waitpid(host, 0)
    return lived


def _read(reader: int, wanted: int | set[str]) -> None:
    """Wait for so many names, or for all of these."""
    told: list[str] = []
    while len(told) < wanted if isinstance(wanted, int) else wanted - {*told}:
        told += os.read(reader, 65_536).decode().split()


async def _host(kind: str, gate: int, opener: int) -> None:
    """Run all programs until a signal."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGUSR1) as signals:
        async with trio.open_nursery() as nursery:
            for name in LEAVERS:
                if kind != "bystander" or name != "ends":  # no fork while a process is started
                    nursery.start_soon(_again_and_again, name)
            async for number in signals:
                if number == signal.SIGTERM:
                    nursery.cancel_scope.cancel()
                    break
                _fork_bystander(gate, opener)


def _fork_bystander(gate: int, opener: int) -> None:
    """Another process with all descriptors of this one, as multiprocessing makes them, which outlives it."""
    if os.fork() == 0:
        os.close(opener)
        with open(os.environ["EVENTS"], "w") as events:
            events.write("bystander\n")
        os.read(gate, 1)
        os._exit(0)


async def _again_and_again(name: str) -> None:
    agent = command_agent(["sh", "-c", LEAVERS[name]], timeout_s=600)
    while True:
        await agent(AgentCall("7", "prompt", {}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
