"""``flowcage worker --tenants FILE``: what each tenant may use of all workers together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.inputs.texts import json_file
from flowcage.host.resume.new.ceilings import NO_CEILINGS, Ceilings
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
# Of each run of a tenant.
_RUNS = "limits"
_EXAMPLE = '{"default": {"maxRuns": 10}, "tenants": {"acme": {"weight": 2}}}'


class Tenants(NamedTuple):
    """Limits by tenant, and of each that is not named; ceilings are on those of each run."""

    named: Mapping[str, TenantLimits]
    default: TenantLimits | None
    ceilings: Mapping[str, Ceilings] = MappingProxyType({})
    default_ceilings: Ceilings = NO_CEILINGS

    def ceilings_of(self, tenant: str) -> Ceilings:
        """On the limits of each run of a tenant."""
        return self.ceilings.get(tenant, NO_CEILINGS if tenant in self.named else self.default_ceilings)


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
    named = {name: _limits(f"{what}: tenants[{name!r:.80}]", each) for name, each in tenants.items()}
    default = None if told.get("default") is None else _limits(f"{what}: default", told["default"])
    limits = {name: own for name, (own, _) in named.items()}
    ceilings = {name: of_runs for name, (_, of_runs) in named.items()}
    return Tenants(limits, *((None, ceilings) if default is None else (default[0], ceilings, default[1])))


def _limits(where: str, told: Any) -> tuple[TenantLimits, Ceilings]:
    if not isinstance(told, dict):
        raise InputError(f"{where} must be an object of limits, such as {{'maxRuns': 10}}, not {told!r:.80}")
    for name in told:
        if name not in (*_NAMES, _RUNS):
            near = did_you_mean(name, (*_NAMES, _RUNS)) or f"; there are {', '.join(_NAMES)}, {_RUNS}"
            raise InputError(f"{where}: there is no limit {name!r:.80}{near}")
    own = {_NAMES[name]: value for name, value in told.items() if name != _RUNS}
    try:
        return replace(_UNLIMITED, **own), _of_runs(f"{where}.{_RUNS}", told.get(_RUNS, {}))
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {_in_the_file(str(error))}") from None


def _of_runs(where: str, told: Any) -> Ceilings:
    if not isinstance(told, dict):
        raise InputError(f"{where} must be an object of limits of each run, such as {{'cpuSeconds': 10}}")
    try:
        return Ceilings(told)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def _in_the_file(message: str) -> str:
    """A message that names a limit as the file does."""
    name, _, rest = message.partition(" ")
    return f"{camel_case(name)} {rest}" if name in _NAMES.values() else message
