"""What a client may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from flowcage.host.run.limits import NAMES, host_limits
from flowcage.host.run.options import RunOptions
from flowcage.host.terminal.near_match import did_you_mean
from flowcage.host.ui.api.problems import Problem
from flowcage.protocol.messages import MISSING, Json, Missing


class Submission(NamedTuple):
    """A workflow to run.

    Attributes:
        source_name: in stacks.
        limits: by name, each no higher than that of the options.
        run_id, key, metadata: as for `Host.start`.
    """

    source: str
    source_name: str = "workflow.js"
    args: Json | Missing = MISSING
    limits: Mapping[str, float] | None = None
    run_id: str | None = None
    key: str | None = None
    metadata: Mapping[str, Json] | None = None


_TEXTS = {"source": "source", "sourceName": "source_name", "runId": "run_id", "key": "key"}
_MEMBERS = (*_TEXTS, "modules", "args", "limits", "metadata")


def submission_of(given: Mapping[str, Any], options: RunOptions) -> Submission:
    """The workflow of a request's body.

    Args:
        given: source, sourceName, args, limits, runId, key, metadata; all but the first may be left out.
        options: whose limits are the highest that a client may set.

    Raises:
        Problem: one of them is nothing that can be run.
    """
    require_members(given, _MEMBERS)
    texts = {field: text_of(given, name) for name, field in _TEXTS.items() if name in given}
    if "source" not in texts:
        raise Problem(422, "source: expected the text of a workflow")
    metadata = object_of(given, "metadata")
    return Submission(
        **texts,
        args=given.get("args", MISSING),
        limits=limits_of(object_of(given, "limits"), options),
        metadata=metadata,
    )


def options_with(
    given: Mapping[str, Any], options: RunOptions | None, default: Callable[[], RunOptions]
) -> RunOptions | None:
    """The options of a run whose source may import the modules of a request's body.

    Args:
        given: that body.
        options: None for the default ones.
        default: those of the host.

    Raises:
        Problem: these are no modules.
    """
    modules = object_of(given, "modules")
    if modules is None:
        return options
    try:
        return replace(options or default(), modules=modules)
    except (TypeError, ValueError) as error:
        raise Problem(422, str(error)) from None


def limits_of(asked: Mapping[str, Any] | None, options: RunOptions) -> Mapping[str, float] | None:
    """Limits that a client has set; what it does not set is as in the options. Raises `Problem`."""
    highest = options.limits.to_wire() | host_limits(options)
    for name, value in (asked or {}).items():
        most = highest.get(name)
        if most is None:
            near = did_you_mean(name[:80], NAMES)
            raise Problem(
                422, f"limits: there is no limit {name[:80]!r}{near or '; there are ' + ', '.join(NAMES)}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            raise Problem(422, f"limits: {name} must be a number above 0 and at most {most:,}")
    return asked


def require_members(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse members that there are not. Raises `Problem`."""
    if unknown := sorted(given.keys() - set(known)):
        raise Problem(422, f"there is no member {unknown[0][:80]!r}; there are {', '.join(known)}")


def text_of(given: Mapping[str, Any], name: str) -> str:
    """A member that is text. Raises `Problem`."""
    if not isinstance(text := given[name], str):
        raise Problem(422, f"{name}: expected a text")
    return text


def object_of(given: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """A member that is an object, or is left out. Raises `Problem`."""
    found = given.get(name)
    if found is not None and not isinstance(found, dict):
        raise Problem(422, f"{name}: expected an object")
    return found
