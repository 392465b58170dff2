"""What the public calls are given, checked before anything is queued or started for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flowcage.host.terminal.near_match import did_you_mean
from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING, Json, Missing
from flowcage.protocol.sources.names import MAX_MODULES


def require_type(name: str, value: object, kind: type, hint: str = "") -> None:
    """Raise TypeError for a value of another type, naming the argument."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {_a(kind)}, not {type(value).__name__}{hint}")


def require_callable(name: str, value: object) -> None:
    """Raise TypeError for what cannot be called, naming the argument."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {type(value).__name__}")


def require_workflow(
    source: object, source_name: object, args: Json | Missing = MISSING, tenant: object = ""
) -> None:
    """Refuse what is no workflow, no args of one, or no name of a tenant.

    Raises:
        TypeError: `source`, `source_name` or `tenant` is no text, or `args` hold what JSON has no form for.
        ValueError: `args` hold a NaN, an infinity or a cycle, or are too deep.
    """
    hint = "" if isinstance(source, bytes | type(None)) else "; read the file and give its text"
    require_type("source", source, str, "; decode it" if isinstance(source, bytes) else hint)
    require_type("source_name", source_name, str)
    require_type("tenant", tenant, str)
    if not isinstance(args, Missing | str | int | None) and args not in ({}, []):
        require_json("args", args)


def require_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise ValueError for a value that is none of these, naming the argument."""
    if value not in choices:
        hint = did_you_mean(str(value), choices)
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}{hint}")


def require_members(name: str, members: object, kind: type) -> None:
    """Raise TypeError for what is no mapping from names to values of a type."""
    require_type(name, members, Mapping)
    assert isinstance(members, Mapping)
    for key, value in members.items():
        require_type(f"{name}[{key!r}]", value, kind)


def require_modules(modules: object) -> None:
    """Refuse what are no sources by their names.

    Raises:
        TypeError: it is no mapping from text to text.
        ValueError: they are more than a child takes.
    """
    require_members("modules", modules, str)
    assert isinstance(modules, Mapping)
    for name in modules:
        require_type("each name in modules", name, str)
    if len(modules) > MAX_MODULES:
        raise ValueError(f"modules must be {MAX_MODULES} at most, not {len(modules)}")


def require_json(name: str, value: Any) -> None:
    """Raise TypeError or ValueError for what JSON has no form for, naming the argument."""
    try:
        strictjson.dumps(value)
    except TypeError as error:
        raise TypeError(f"{name} must be JSON: {error}") from None
    except ValueError as error:
        raise ValueError(f"{name} must be JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{name} must be JSON: they are nested too deeply, or hold themselves") from None


def require_run_id(run_id: object) -> None:
    """Refuse what cannot be the id of a run.

    Raises:
        TypeError: it is no text.
        ValueError: it has another length or other characters.
    """
    require_type("run_id", run_id, str)
    assert isinstance(run_id, str)
    if re.fullmatch(r"[A-Za-z0-9._-]{1,100}", run_id) is None:
        shown = run_id if len(run_id) <= 100 else f"{run_id[:100]}…"
        raise ValueError(f"run_id must be 1 to 100 of A-Z, a-z, 0-9, '.', '_' and '-', not {shown!r}")


def _a(kind: type) -> str:
    return "text (str)" if kind is str else f"a {kind.__name__}"
