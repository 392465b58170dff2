"""The time of closing the cage: the whole lockdown, and each of its layers, in milliseconds.

    python bench/lockdown.py [rounds]

Each round closes a cage in a process of its own, because a cage cannot be opened: the whole one in a fresh
interpreter, as a child is, the layers in forks that have the descriptors of a child. The time of a layer
includes the slowdown by the layers before it. As root, the lockdown of an ordinary user is timed too.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from flowcage.child.cage import code, landlock, lockdown, namespaces, privileges, process, rlimits, seccomp
from flowcage.child.cage.highwater import open_high_water
from flowcage.child.engine.context import library
from flowcage.child.stdio import OUTGOING, claim
from flowcage.protocol.limits import Limits

TARGET_MS = 1.5
ORDINARY_USER = 12345
WHOLE, FRESH = "the whole lockdown", "--fresh"
LAYERS: list[tuple[Any, str]] = [
    (process, "status"),
    (process, "reset_inherited_state"),
    (process, "environment"),
    (process, "prefer_for_oom_kill"),
    (namespaces, "enter_as_root"),
    (namespaces, "enter_as_user"),
    (privileges, "drop_bounding_set"),
    (code, "seal"),
    (process, "refuse_new_code"),
    (privileges, "forbid_new_privileges"),
    (process, "enter_own_process_group"),
    (process, "close_other_descriptors"),
    (privileges, "drop_root"),
    (privileges, "drop_capabilities"),
    (process, "die_with"),
    (process, "hide_memory"),
    (landlock, "apply"),
    (rlimits, "apply"),
    (seccomp, "apply"),
]


def measured(function: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    """A function that also adds its milliseconds to `spent`."""

    def call(*arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            spent[name] = spent.get(name, 0.0) + (time.perf_counter() - began) * 1000

    return call


def lock_down(by_layer: bool) -> dict[str, float]:
    """Close the cage around this process, and return the milliseconds by layer, or of the whole."""
    spent: dict[str, float] = {}
    for module, name in LAYERS if by_layer else ():
        label = f"{module.__name__.rpartition('.')[2]}.{name}"
        setattr(module, name, measured(getattr(module, name), label, spent))
    claim()
    open_high_water()
    began = time.perf_counter()
    lockdown.enter(Limits(), "strict", os.getppid())
    spent[WHOLE] = (time.perf_counter() - began) * 1000
    return spent


def in_a_process(user: int | None, by_layer: bool) -> dict[str, float]:
    """`lock_down` in a process that ends with it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writing, 1)  # `claim` moves it from there
        if user is not None:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        os.write(OUTGOING, json.dumps(lock_down(by_layer)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"a lockdown failed: {os.waitstatus_to_exitcode(status)}")
    spent: dict[str, float] = json.loads(answer)
    return spent


def in_a_fresh_interpreter() -> float:
    """Milliseconds of the whole lockdown in an interpreter that was just started."""
    command = [sys.executable, "-I", __file__, FRESH]
    done = subprocess.run(
        command,
        env={"TZ": "UTC0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=True,
    )
    spent: dict[str, float] = json.loads(done.stdout)
    return spent[WHOLE]


def report(title: str, user: int | None, rounds: int) -> None:
    """Print one table of the layers. In a fork each takes longer, since it copies shared pages first."""
    layers = [in_a_process(user, by_layer=True) for _ in range(rounds)]
    times = {name: [spent.get(name, 0.0) for spent in layers] for name in layers[0]}
    del times[WHOLE]
    print(f"\n{title}, in forks; {rounds} rounds")
    print(f"{'':<40} {'median':>8} {'min':>8} {'max':>8}")
    for name, values in sorted(times.items(), key=lambda row: -statistics.median(row[1])):
        print(f"{name:<40} {statistics.median(values):>8.3f} {min(values):>8.3f} {max(values):>8.3f}")


def main() -> None:
    """Print the tables, for this user, and for an ordinary user too where this one is root."""
    if sys.platform != "linux":
        raise SystemExit("this benchmark needs Linux, which alone has the cage")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    library()  # a child has loaded the engine before it closes its cage
    for name in set(os.environ) - {"TZ", "LC_CTYPE"}:  # a child has no others
        del os.environ[name]
    whole = [in_a_fresh_interpreter() for _ in range(rounds)]
    median = statistics.median(whole)
    verdict = "within" if median < TARGET_MS else "over"
    print(f"the whole lockdown in a fresh child; {rounds} rounds, {os.cpu_count()} cores; ms")
    print(f"median {median:.2f}, min {min(whole):.2f}: {verdict} the target of {TARGET_MS}")
    report(f"as user {os.geteuid()}", None, rounds)
    if os.geteuid() == 0:
        report("as an ordinary user", ORDINARY_USER, rounds)


if __name__ == "__main__":
    if sys.argv[1:] == [FRESH]:
        library()
        spent_once = lock_down(by_layer=False)
        os.write(OUTGOING, json.dumps(spent_once).encode())
        os._exit(0)
    main()
