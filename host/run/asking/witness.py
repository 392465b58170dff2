"""Who is told what agents of one run came to, beside the core: the log and the host's figures."""

from __future__ import annotations

import logging
from typing import Any

from flowcage.host.agents.call import AgentCall
from flowcage.host.outcome.figures import Attempted
from flowcage.host.run.asking.meter import Meter
from flowcage.host.run.core.inputs import Answered, Refused
from flowcage.host.terminal.log import logger, name_of

_LOG = logger("agent")


class Witness:
    """Of one run with its child workflows.

    Args:
        tenant: its name.
        attempted: is told of each attempt of an agent; None for nobody.
    """

    def __init__(self, tenant: str, attempted: Attempted | None) -> None:
        self.tenant = tenant
        self._attempted = attempted

    def watch(self, attempted: Attempted) -> None:
        """Have each attempt told to this one."""
        self._attempted = attempted

    def asked(self, call: AgentCall) -> None:
        """An agent is about to be asked."""
        if call.attempt > 1 and _LOG.isEnabledFor(logging.INFO):
            fields = self._of(call)
            asked = fields["request_id"]
            _LOG.info(
                "run %s asks agent %s again, attempt %d", call.run_id, asked, call.attempt, extra=fields
            )

    def came_to(self, call: AgentCall, given: Answered | Refused, meter: Meter) -> None:
        """An agent has answered, or has not."""
        is_refused = isinstance(given, Refused)
        if self._attempted is not None:
            outcome: Any = given.reason.value if isinstance(given, Refused) else "answered"
            spent, usage = given.spent, given.facts.get("usage")
            provider, model = meter.provider or call.provider, meter.model or call.model
            self._attempted(outcome, provider, model, meter.seconds(spent), usage, spent.cost_usd)
        if _LOG.isEnabledFor(logging.INFO if is_refused else logging.DEBUG):
            self._log(call, given, meter)

    def cut_off(self, call: AgentCall, meter: Meter) -> None:
        """An agent was cancelled at work."""
        if self._attempted is not None:
            spent, facts = meter.read()
            provider, model = meter.provider or call.provider, meter.model or call.model
            self._attempted(
                "cancelled", provider, model, meter.seconds(spent), facts.get("usage"), spent.cost_usd
            )

    def unavailable(self, call: AgentCall, error: Exception) -> None:
        """No agent can be asked."""
        fields = self._of(call) | {"error_type": type(error).__name__}
        _LOG.warning("run %s: agents are unavailable; see to the account", call.run_id, extra=fields)

    def _log(self, call: AgentCall, given: Answered | Refused, meter: Meter) -> None:
        spent = given.spent
        fields = self._of(call) | {
            "seconds": meter.seconds(spent),
            "tokens": spent.tokens,
            "cost_usd": spent.cost_usd,
        }
        if not isinstance(given, Refused):
            _LOG.debug("run %s: agent %s answered", call.run_id, fields["request_id"], extra=fields)
            return
        fields |= {"reason": given.reason.value, "error_type": meter.error_type}
        text = "run %s: agent %s has no answer: %s"
        _LOG.info(text, call.run_id, fields["request_id"], given.reason.value, extra=fields)

    def _of(self, call: AgentCall) -> dict[str, Any]:
        return {
            "run_id": call.run_id,
            "root_run_id": call.root_run_id,
            "tenant": name_of(self.tenant),
            "request_id": name_of(call.id),
            "attempt": call.attempt,
        }
