"""What `meta.phases` of a workflow says about its agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from flowcage.host.outcome.errors import RunRefused, WorkflowFailed
from flowcage.protocol.errors import LIMIT, LocalProtocolError
from flowcage.protocol.messages import Check, Checked, Dialect, Json, Missing

if TYPE_CHECKING:
    from flowcage.host.process.channel import Channel

_MOST_FINDINGS = 30
_MEMBERS = ("model", "provider", "effort", "agentType")


class PhaseDefaults:
    """Options that agent calls take from the entry of `meta.phases` with their phase as its title.

    Args:
        meta: the workflow's, whatever it is; what has another form says nothing.

    Attributes:
        by_title: the options of each phase that has some.
    """

    def __init__(self, meta: Json = None) -> None:
        phases = meta.get("phases") if isinstance(meta, dict) else None
        self.by_title: dict[str, dict[str, Json]] = {}
        for entry in phases if isinstance(phases, list) else ():
            if isinstance(entry, dict) and isinstance(title := entry.get("title"), str):
                found = {name: entry[name] for name in _MEMBERS if isinstance(entry.get(name), str)}
                self.by_title.setdefault(title, found)

    def fill_in(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        """The options with the defaults of their phase; what they have themselves, even null, stays."""
        phase = options.get("phase")
        defaults = self.by_title.get(phase) if isinstance(phase, str) else None
        return {**defaults, **options} if defaults else options


def may_have_defaults(source: str) -> bool:
    """Whether a text has the words that a `meta` with defaults has."""
    return "phases" in source and any(member in source for member in _MEMBERS)


async def phase_defaults(
    channel: Channel,
    source: str,
    source_name: str,
    dialect: Dialect,
    modules: Mapping[str, str],
    note: Callable[[Mapping[str, Json]], None],
    *,
    findings: bool = False,
) -> PhaseDefaults:
    """Ask a child that has not started yet for the workflow's `meta`.

    It costs a second compilation, so only a text with the right words in it is asked about. A source that
    does not compile has no defaults here, and `Start` says what is wrong with it.

    Args:
        note: takes a diagnostic where a `meta` that may have defaults is not read, and each finding.
        findings: whether the child is asked what is probably wrong with the source; then any text is.

    Raises:
        RunError: the child has gone, or broke the protocol.
    """
    if not (findings or may_have_defaults(source)):
        return PhaseDefaults()
    try:
        line = channel.encode(Check(source, source_name, dialect, findings, modules=modules))
    except (LocalProtocolError, ValueError):  # too long: then `Start` is, too
        return PhaseDefaults()
    channel.send([line])
    try:
        checked = await channel.receive()
    except WorkflowFailed as failed:
        if failed.kind == LIMIT and may_have_defaults(source):
            note({"kind": "meta_not_read", "message": f"meta.phases has no effect: {failed}"})
        return PhaseDefaults()
    except RunRefused:  # a child without this method
        return PhaseDefaults()
    assert isinstance(checked, Checked)
    for diagnostic in islice(_as_diagnostics(checked, source_name), _MOST_FINDINGS):
        note(diagnostic)
    return PhaseDefaults(checked.meta)


def _as_diagnostics(checked: Checked, source_name: str) -> Iterator[Mapping[str, Json]]:
    """The findings but notes, which are about what has no effect."""
    for each in () if isinstance(checked.findings, Missing) else checked.findings:
        if each.severity != "note":
            hint = f"; {each.hint}" if each.hint else ""
            where = each.source_name or source_name
            yield {
                "kind": each.kind,
                "message": f"{where}:{each.line}:{each.column}: {each.message}{hint}",
                "severity": each.severity,
                "line": each.line,
                "column": each.column,
            }
