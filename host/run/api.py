"""Check one workflow, without running it."""

from __future__ import annotations

from collections.abc import Mapping

from flowcage.host.run.arguments import require_choice, require_modules, require_workflow
from flowcage.host.run.event_loops import require_trio
from flowcage.host.run.sources.reader import Reader, with_reader
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import DIALECTS, NO_MODULES, Check, Checked, Dialect


async def check_workflow(
    source: str,
    *,
    source_name: str = "workflow.js",
    dialect: Dialect = "auto",
    limits: Limits | None = None,
    findings: bool = False,
    outline: bool = False,
    modules: Mapping[str, str] | None = None,
) -> Checked:
    """Compile a workflow in a child and read its `meta`, without running its body.

    Args:
        source, source_name, dialect: as for a run.
        limits: of the child; what compiling may take is one step.
        findings, outline: whether to have what is probably wrong with the source, and its outline.
        modules: as of `RunOptions`.

    Raises:
        WorkflowFailed: kind ``syntax`` or ``import``; ``data`` has line and column.
        RunError: the child could not do it.
        TypeError, ValueError, WrongEventLoop: as `run_workflow`.
    """
    require_trio("check_workflow()")
    require_workflow(source, source_name)
    require_choice("dialect", dialect, DIALECTS)
    if modules is not None:
        require_modules(modules)
    message = Check(
        source, source_name, dialect, findings, outline, NO_MODULES if modules is None else modules
    )

    async def asked(reader: Reader) -> Checked:
        checked = await reader.ask(message)
        assert isinstance(checked, Checked)
        return checked

    return await with_reader(limits or Limits(), asked, reads=findings or outline)
