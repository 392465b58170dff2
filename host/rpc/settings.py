"""What whoever starts the host has chosen for all runs, and what a message asks for one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

from flowcage.host.agents.agent import Agent
from flowcage.host.outcome.errors import FlowcageError
from flowcage.host.rpc.problems import invalid
from flowcage.host.rpc.wire import UNREAD_SECONDS
from flowcage.host.run.arguments import require_run_id
from flowcage.host.run.limits import with_limits
from flowcage.host.run.node import new_run_id
from flowcage.host.run.options import RunOptions, WorkflowHandler
from flowcage.host.tenants.named_runs import DEFAULT_TENANT
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES, camel_case
from flowcage.schemas.loader import document

_NAMES = {camel_case(each.name): each.name for each in fields(RunOptions)}
_AGENT_SECONDS = "agentTimeoutSeconds"


class Settings(NamedTuple):
    """Of one host.

    Attributes:
        options: of runs that name none.
        agent: answers ``agent()`` where a client does not; None for nobody.
        workflow: the same for ``workflow()``.
        agent_seconds: for one attempt that a client answers; None for no limit.
        max_runs: at once; `max_queued` more may wait.
        unread_seconds: after which a client that reads nothing is gone.
        tenant: whose all runs are.
        queue: pool of workers that carry all runs out; None where the host does.
    """

    options: RunOptions
    agent: Agent | None = None
    workflow: WorkflowHandler | None = None
    agent_seconds: float | None = None
    max_runs: int = 4 * (os.cpu_count() or 1)
    max_queued: int = 1_000
    unread_seconds: float = UNREAD_SECONDS
    tenant: str = DEFAULT_TENANT
    queue: str | None = None

    def chosen(self, method: str, params: Mapping[str, Any]) -> tuple[RunOptions, float | None]:
        """The options of a run, and the seconds for one attempt of an agent.

        Raises:
            Refusal: one of them is impossible.
        """
        options, seconds = self.options, self.agent_seconds
        for name, value in params.get("options", {}).items():
            if name == _AGENT_SECONDS:
                seconds = _above_zero(method, value)
            elif name in _options_of_the_protocol():
                options = self._with(method, options, name, value)
        if limits := params.get("limits"):
            options = _limited(method, options, limits)
        if metadata := params.get("metadata"):
            options = replace(options, metadata=metadata)
        return options, seconds

    def told(self) -> dict[str, Any]:
        """The options of a run that names none, as the protocol has them."""
        values = {name: getattr(self.options, _NAMES[name]) for name in _options_of_the_protocol()}
        told = {name: value for name, value in values.items() if value not in (None, {}, "")}
        return told if self.agent_seconds is None else {**told, _AGENT_SECONDS: self.agent_seconds}

    def _with(self, method: str, options: RunOptions, name: str, value: Any) -> RunOptions:
        if name == "maxCostUsd" and self.options.max_cost_usd is not None:
            value = min(value, self.options.max_cost_usd)
        try:
            return replace(options, **{_NAMES[name]: value})
        except (ValueError, TypeError, FlowcageError) as error:
            message = str(error).replace(_NAMES[name], name, 1)
            raise invalid(method, f"/options/{name}", message) from None


def run_id_of(method: str, name: str, params: Mapping[str, Any]) -> str:
    """The id that a client has chosen for a run, or a new one. Raises `Refusal`."""
    run_id = params.get(name) or new_run_id()
    try:
        require_run_id(run_id)
    except ValueError as error:
        raise invalid(method, f"/{name}", str(error).replace("run_id", name, 1)) from None
    return str(run_id)


def _options_of_the_protocol() -> set[str]:
    named = document("common", "host")["$defs"]["runOptions"]["properties"]
    return {name for name in named if name in _NAMES}


def _above_zero(method: str, seconds: float) -> float:
    if seconds <= 0:
        raise invalid(method, f"/options/{_AGENT_SECONDS}", "must be above 0")
    return seconds


def _limited(method: str, options: RunOptions, limits: Mapping[str, Any]) -> RunOptions:
    known = document("common")["$defs"]["limits"]["properties"]
    try:
        options = with_limits(options, {name: value for name, value in limits.items() if name in known})
    except (ValueError, TypeError) as error:
        raise invalid(method, "/limits", str(error)) from None
    if options.limits.max_message_bytes > DEFAULT_MAX_MESSAGE_BYTES:
        message = f"must be at most {DEFAULT_MAX_MESSAGE_BYTES}"
        raise invalid(method, "/limits/maxMessageBytes", message)
    return options
