"""``flowcage worker --tenants FILE``: what each tenant may use of all workers together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.inputs.texts import json_file
from flowcage.host.tenants.tenant import TenantLimits
from flowcage.host.terminal.near_match import did_you_mean
from flowcage.protocol.limits import MAX_LIMIT, camel_case

# Those that a worker has by its slots and its queue.
_OWN = ("max_queued",)
_NAMES = {camel_case(each.name): each.name for each in fields(TenantLimits) if each.name not in _OWN}
# What a file does not say is not limited, as without a file.
_UNLIMITED = TenantLimits(
    max_runs=MAX_LIMIT, runs_per_minute=MAX_LIMIT, cpu_seconds_per_minute=float(MAX_LIMIT)
)
_EXAMPLE = '{"default": {"maxRuns": 10}, "tenants": {"acme": {"weight": 2}}}'


class Tenants(NamedTuple):
    """Limits by tenant, and of each that is not named."""

    named: Mapping[str, TenantLimits]
    default: TenantLimits | None


NOBODY = Tenants({}, None)


def tenants_in(file: Path | None) -> Tenants:
    """The limits of a file.

    Raises:
        InputError: it cannot be read, or has another form.
    """
    if file is None:
        return NOBODY
    what = f"--tenants {file}"
    told = json_file(InputFiles({}), "--tenants", file)
    if not isinstance(told, dict) or not told.keys() <= {"default", "tenants"}:
        raise InputError(f"{what}: expected a JSON object such as {_EXAMPLE}")
    tenants = told.get("tenants", {})
    if not isinstance(tenants, dict):
        raise InputError(f"{what}: tenants must be an object with limits by name, such as {_EXAMPLE}")
    named = {name: _limits(f"{what}: tenants[{name!r}]", each) for name, each in tenants.items()}
    default = told.get("default")
    return Tenants(named, None if default is None else _limits(f"{what}: default", default))


def _limits(where: str, told: Any) -> TenantLimits:
    if not isinstance(told, dict):
        raise InputError(f"{where} must be an object of limits, such as {{'maxRuns': 10}}, not {told!r:.80}")
    for name in told:
        if name not in _NAMES:
            near = did_you_mean(name, _NAMES) or f"; there are {', '.join(_NAMES)}"
            raise InputError(f"{where}: there is no limit {name!r:.80}{near}")
    try:
        return replace(_UNLIMITED, **{_NAMES[name]: value for name, value in told.items()})
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {error}") from None
