"""Answers that a fork gives in the place of old ones are held to what their calls take."""

from __future__ import annotations

from collections.abc import Mapping

from flowcage.host.agents.errors import AgentError
from flowcage.host.agents.people import question_of
from flowcage.host.agents.schema.checker import SchemaRefused
from flowcage.host.agents.schema.checks import SchemaChecks
from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.reuse.terms import NotForkable
from flowcage.host.resume.questions import request_of, schemas
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import AgentRequest, AskRequest, Json


async def require_fitting(record: RunRecord, answers: Mapping[str, Json]) -> None:
    """Refuse answers that a schema or options do not take. Requests that were withheld take any.

    Args:
        record: of the old run.
        answers: by id of its calls.

    Raises:
        NotForkable: with the call, and what is wrong with its answer.
    """
    checks = schemas()
    for identifier, value in answers.items():
        try:
            problem = await _problem(record, identifier, value, checks)
        except (SchemaRefused, AgentError) as error:
            problem = str(error)
        if problem is not None:
            raise NotForkable(f"call {identifier} does not take this answer: {problem}")


async def _problem(record: RunRecord, identifier: str, value: Json, checks: SchemaChecks) -> str | None:
    request = request_of(record, identifier)
    if isinstance(request, AskRequest):
        question = question_of(record.summary.run_id, identifier, request)
        return await question.why_not(value, checks, Limits().max_message_bytes)
    options = request.options if isinstance(request, AgentRequest) else None
    schema = options.get("schema") if isinstance(options, Mapping) else None
    return None if schema is None else await (await checks.admit(schema)).why_not(value)
