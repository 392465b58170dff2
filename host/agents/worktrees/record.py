"""What is kept of each worktree beside it: whose it is, and who is at work on it.

``NAME.lock`` is locked (flock(2)) as long as its host works on ``NAME``, so the kernel says whether that one
is still there, whatever has become of it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Record:
    """Of one worktree.

    Attributes:
        run_id, request, label: of the agent's call.
        common: of the repository.
        base: the commit that it was made from.
        deliver: ``branch`` or ``patch``.
    """

    run_id: str
    request: str
    label: str
    common: str
    base: str
    deliver: str


class Lock:
    """Of one worktree, held until the block is left."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let it go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Forget the worktree."""
        with suppress(FileNotFoundError):
            record_of(self._path.with_suffix("")).unlink()
        with suppress(FileNotFoundError):
            self._path.unlink()


def new(home: Path, name: str, record: Record) -> tuple[Path, Lock]:
    """A folder for a worktree, which is not made yet, with its record and its lock."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1
    while True:
        tree = home / (name if number == 1 else f"{name}-{number}")
        try:
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
            descriptor = os.open(_lock_of(tree), flags, 0o600)
            break
        except FileExistsError:
            number += 1
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    write(tree, record)
    return tree, Lock(_lock_of(tree), descriptor)


def write(tree: Path, record: Record, **more: Any) -> None:
    """Write the record of a worktree whose lock is held."""
    path = record_of(tree)
    made = path.with_suffix(".new")
    made.write_text(json.dumps(asdict(record) | more, indent=1), encoding="utf-8")
    made.replace(path)


def left(home: Path) -> Iterator[tuple[Path, Record, Lock, bool]]:
    """Worktrees that nobody works on and nobody has settled, and those that were kept and are gone.

    Each comes with its lock, which is the caller's from then on, and whether an agent may have been in it.
    """
    for path in sorted(home.glob("*.json")) if home.is_dir() else ():
        found, tree = _read(path), path.with_suffix("")
        if found is None or (found.get("kept") and tree.exists()):
            continue
        if (lock := _taken(_lock_of(tree))) is not None:
            yield tree, _record(found), lock, bool(found.get("ready"))


def kept(home: Path, name: str, session: str | None, run_id: str) -> tuple[Path, Record, Lock] | None:
    """The worktree of this name, or else of this session, that is kept and that nobody works on.

    Of those of the session, one of the run is the first, and then the latest: a program may call its sessions
    in all runs the same, and only a fork goes on with one of another run.
    """
    fitting = [(record_of(home / name), _read(record_of(home / name)))]
    if session is not None:
        others = [(path, _read(path)) for path in sorted(home.glob("*.json"), reverse=True)]
        fitting += sorted(others, key=lambda each: each[1] is None or each[1]["run_id"] != run_id)
    for path, found in fitting:
        tree = path.with_suffix("")
        if found is None or not found.get("kept") or not tree.is_dir():
            continue
        if tree.name != name and found.get("session") != session:
            continue
        if (lock := _taken(_lock_of(tree))) is not None:
            write(tree, record := _record(found), ready=True)
            return tree, record, lock
    return None


def record_of(tree: Path) -> Path:
    """The file of its record."""
    return tree.with_name(f"{tree.name}.json")


def _lock_of(tree: Path) -> Path:
    return tree.with_name(f"{tree.name}.lock")


def _taken(path: Path) -> Lock | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return Lock(path, descriptor)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_one = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in _MEMBERS)
    return found if is_one else None


def _record(found: Mapping[str, Any]) -> Record:
    return Record(**{name: found[name] for name in _MEMBERS})


_MEMBERS = tuple([each.name for each in fields(Record)])
