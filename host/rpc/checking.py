"""What is wrong with a source, as the protocol has it."""

from __future__ import annotations

from typing import Any

from flowcage.host.outcome.errors import WorkflowFailed
from flowcage.host.run.api import check_workflow
from flowcage.protocol.limits import Limits, camel_case
from flowcage.protocol.messages import Finding, Missing


async def checked(params: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Have a caged child check a source. Raises `RunError` where no child can."""
    has_outline = params.get("outline", False)
    try:
        found = await check_workflow(
            params["source"],
            source_name=params.get("sourceName", "workflow.js"),
            dialect=params.get("dialect", "auto"),
            limits=limits,
            findings=True,
            outline=has_outline,
        )
    except WorkflowFailed as error:
        return {"dialect": None, "meta": None, "findings": [_told(_refused(error))]}
    findings = () if isinstance(found.findings, Missing) else found.findings
    told = {"dialect": found.dialect, "meta": found.meta, "findings": [_told(each) for each in findings]}
    return told if isinstance(found.outline, Missing) else {**told, "outline": found.outline}


def _told(finding: Finding) -> dict[str, Any]:
    members = finding._asdict()
    return {camel_case(name): value for name, value in members.items() if value is not None}


def _refused(error: WorkflowFailed) -> Finding:
    """At the beginning of the source, where the child names no place."""
    line, column = (error.data.get(name) for name in ("line", "column"))
    place = (line, column) if isinstance(line, int) and isinstance(column, int) else (1, 1)
    return Finding(error.kind, "error", str(error).removeprefix("SyntaxError: "), *place)
