"""What the tools take, as JSON Schema."""

from __future__ import annotations

from typing import Any

from flowcage.host.durable.records import LAST, STATES
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES, MAX_LIMIT
from flowcage.protocol.messages import DIALECTS

Schema = dict[str, Any]


def taking(members: dict[str, Schema], *required: str) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "properties": members,
        "required": list(required),
        "additionalProperties": False,
    }


def text(description: str, most: int = 1_000, least: int = 0) -> Schema:
    """A text."""
    return {"type": "string", "description": description, "minLength": least, "maxLength": most}


def whole(description: str, least: int, most: int) -> Schema:
    """A whole number."""
    return {"type": "integer", "description": description, "minimum": least, "maximum": most}


def above_zero(description: str, most: float) -> Schema:
    """A number."""
    return {"type": "number", "description": description, "exclusiveMinimum": 0, "maximum": most}


RUN: Schema = {
    "type": "string",
    "description": "The run's id, as run and list_runs tell it.",
    "pattern": "^[A-Za-z0-9._-]+$",
    "maxLength": 100,
}
# For what only looks: between two calls somebody else may begin a run.
RUN_OR_LAST: Schema = RUN | {
    "description": f"{RUN['description'][:-1]}; or {LAST}, the newest.",
    "pattern": f"^({LAST}|[A-Za-z0-9._-]+)$",
}
SCRIPT: dict[str, Schema] = {
    "workflow": text("Name of a workflow (see list_workflows), or path of its file.", 4_000, 1),
    "source": text("The text of a script, in place of workflow.", DEFAULT_MAX_MESSAGE_BYTES, 1),
}
DIALECT: Schema = {"enum": list(DIALECTS), "description": "How the script is read; auto finds out."}
TERMS: dict[str, Schema] = {
    "args": {"description": "The workflow's args: any JSON."},
    "budget": whole("Tokens of all agents, above which none is asked any more.", 0, MAX_LIMIT),
    "maxCost": above_zero("US dollars, above which no agent is asked any more.", 1e6),
    "maxAgents": whole("Agents at work at once.", 1, 1_000),
    "maxTotalAgents": whole("How often agents are asked in all.", 1, MAX_LIMIT),
    "timeoutSeconds": above_zero("Seconds for the whole run.", 1e7),
}
STATE: Schema = {"enum": [*STATES, "abandoned"], "description": "Only runs in this state."}
