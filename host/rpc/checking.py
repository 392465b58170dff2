"""What is wrong with a source, as the protocol has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowcage.host.outcome.errors import WorkflowFailed
from flowcage.host.rpc.problems import invalid
from flowcage.host.run.api import check_workflow
from flowcage.protocol.limits import Limits, camel_case
from flowcage.protocol.messages import Finding, Missing


async def checked(params: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Have a caged child check a source. Raises `RunError` where no child can."""
    has_outline, modules = params.get("outline", False), params.get("modules", {})
    try:
        found = await check_workflow(
            params["source"],
            source_name=params.get("sourceName", "workflow.js"),
            dialect=params.get("dialect", "auto"),
            limits=limits,
            findings=True,
            outline=has_outline,
            modules=modules,
        )
    except ValueError as error:  # more than a child takes
        raise invalid("check", "/modules", str(error)) from None
    except WorkflowFailed as error:
        return {"dialect": None, "meta": None, "findings": [_told(_refused(error, modules))]}
    findings = () if isinstance(found.findings, Missing) else found.findings
    told = {"dialect": found.dialect, "meta": found.meta, "findings": [_told(each) for each in findings]}
    return told if isinstance(found.outline, Missing) else {**told, "outline": found.outline}


def _told(finding: Finding) -> dict[str, Any]:
    members = finding._asdict()
    return {camel_case(name): value for name, value in members.items() if value is not None}


def _refused(error: WorkflowFailed, modules: Mapping[str, str]) -> Finding:
    """At the beginning of the source, where the child names no place."""
    line, column, name = (error.data.get(each) for each in ("line", "column", "sourceName"))
    place = (line, column) if isinstance(line, int) and isinstance(column, int) else (1, 1)
    message = str(error).removeprefix("SyntaxError: ")
    return Finding(error.kind, "error", message, *place, source_name=name if name in modules else None)
