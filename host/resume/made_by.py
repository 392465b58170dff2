"""What a run was made by, for a warning where another version or build goes on with it.

Nothing of the child is imported: its files are found by their names, and hashed.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from flowcage.protocol.version import PACKAGE_VERSION, PROTOCOL_VERSION

_PRELUDE = ("sandbox", "prelude")  # below the child's folder
_UNKNOWN = "unknown"


@cache
def made_by() -> Mapping[str, str]:
    """The versions of this host, and the build of its engine: hashes of the shared object and the prelude."""
    return MappingProxyType(
        {
            "flowcage": PACKAGE_VERSION,
            "protocol": PROTOCOL_VERSION,
            "prelude": _hash(_prelude()),
            "engine": _engine_version(),
            "build": _hash([] if (engine := _engine()) is None else [engine]),
        }
    )


@cache
def mark() -> str:
    """What can replay the runs that this host begins: hosts of the same version with the same builds."""
    builds = [made_by()[name] for name in ("protocol", "prelude", "engine", "build")]
    return f"{PACKAGE_VERSION}+{hashlib.sha256(' '.join(builds).encode()).hexdigest()[:12]}"


def moved(before: Mapping[str, str]) -> str | None:
    """What is other than it was when a run was begun, as a warning; None where nothing is known to be.

    Args:
        before: what it was made by.
    """
    others = differences(before)
    if others is None:
        return None
    return (
        f"the run was begun with {others}: it is gone on with strictly, and ends as diverged if "
        "it does something else. How deep a workflow can recurse depends on the build."
    )


def differences(before: Mapping[str, str]) -> str | None:
    """What is other than in `before`, in words; None where nothing is known to be."""
    now = made_by()
    others = [
        f"{name} {before[name]} and now {now[name]}"
        for name in now
        if name in before and before[name] != now[name]
    ]
    return ", ".join(others) or None


def _prelude() -> list[Path]:
    spec = importlib.util.find_spec("flowcage.child")  # finds it, and runs nothing of it
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]).joinpath(*_PRELUDE)
    return sorted(folder.glob("*.js"))


def _engine() -> Path | None:
    spec = importlib.util.find_spec("_quickjs")
    return None if spec is None or spec.origin is None else Path(spec.origin)


def _engine_version() -> str:
    """By the name of the folder beside it: `importlib.metadata` would take ten times as long to import."""
    engine = _engine()
    found = [] if engine is None else sorted(engine.parent.glob("quickjs_ng-*.dist-info"))
    return found[-1].name.removesuffix(".dist-info").partition("-")[2] if found else _UNKNOWN


def _hash(files: Iterable[Path]) -> str:
    found, digest = False, hashlib.sha256()  # half the time of BLAKE2b: 3 ms for the engine
    for file in files:
        try:
            digest.update(file.read_bytes())
        except OSError:
            return _UNKNOWN
        found = True
    return digest.hexdigest()[:16] if found else _UNKNOWN
