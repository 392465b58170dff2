"""Exit statuses, and the message about how a run ended: what, where in the author's file, and notes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowcage.host.outcome.errors import CannotSend, ChildDied, RunError, WorkflowFailed
from flowcage.host.outcome.verdict import Exit, Verdict
from flowcage.protocol.errors import EXCEPTION

if TYPE_CHECKING:
    from flowcage.host.outcome.report import Census, Report

DONE, FAILED, OUR_FAULT = Exit.DONE, Exit.FAILED, Exit.OUR_FAULT
# Those that do not depend on how a run ended.
USAGE = 2
INTERRUPTED = Exit.INTERRUPTED

_WINDOW = 120  # characters of a line that an excerpt shows
_MAX_NOTES = 20  # of one kind


def status(error: RunError) -> int:
    """The exit status for the error that a run ended with."""
    if isinstance(error, CannotSend):  # source or args, as the user gave them, do not fit
        return USAGE
    if isinstance(error, ChildDied) and error.signal == "SIGKILL" and error.verdict is Verdict.CRASHED:
        return Exit.KILLED
    return OUR_FAULT if error.verdict.exit_status is None else error.verdict.exit_status


def innermost(error: BaseException) -> BaseException:
    """The first error of a group, which a nursery makes even of one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def explain(error: RunError, source: str) -> str:
    """The error for a person: the verdict and the message, then the stack; for a syntax error the place."""
    if not isinstance(error, WorkflowFailed):
        return f"{error.verdict}: {error}"
    if error.place:
        place = error.data["line"], error.data["column"]
        return "\n".join([f"{error.place}: {error}", *excerpt(source, *place)])
    return "\n".join([f"{error.verdict}: {_thrown(error)}", *_details(error.data)])


def _thrown(error: WorkflowFailed) -> str:
    """What the workflow threw, without "workflow module evaluation rejected", which says the same twice."""
    message = error.data.get("message")
    if error.kind != EXCEPTION or not isinstance(message, str):
        return str(error)
    name = error.data.get("name")
    if not isinstance(name, str):  # not an Error
        return f"the workflow threw {message}"
    return message if message == name else f"{name}: {message}"


def warnings(report: Report, told_before: Collection[str] = ()) -> list[str]:
    """Notes beside the result or the error: missing isolation, diagnostics, failed agent calls.

    Args:
        report: of the run.
        told_before: messages of findings that the user has by now.
    """
    told = _notes(report, told_before)
    if missing := report.missing_layers:
        told.insert(0, f"warning: the run was not strictly isolated; missing: {', '.join(missing)}")
    if report.census.reused:
        told.append(f"note: reused {report.census.reused} of {report.census.calls} calls")
    if (census := explain_census(report.census)) is not None:
        told.append(f"note: {census}")
    if (dropped := _dropped(report)) is not None:
        told.append(f"note: {dropped}")
    return told


def _notes(report: Report, told_before: Collection[str]) -> list[str]:
    """The diagnostics; of those of one kind the first ones, and how many more there are."""
    diagnostics = [
        each
        for each in _without_repetitions(report.diagnostics)
        if "severity" not in each or each["message"] not in told_before
    ]
    counts = Counter(str(diagnostic["kind"]) for diagnostic in diagnostics)
    shown: Counter[str] = Counter()
    told = []
    for diagnostic in diagnostics:
        kind = str(diagnostic["kind"])
        shown[kind] += 1
        if shown[kind] <= _MAX_NOTES:
            told.append(f"{_label(diagnostic)}: {diagnostic['message']}{_refused(diagnostic)}")
            if shown[kind] == _MAX_NOTES < counts[kind]:
                told.append(
                    f"note: {counts[kind] - _MAX_NOTES} more of the kind {kind}, in the result on stdout"
                )
    return told


def _without_repetitions(diagnostics: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All of them but findings in the source that the run has met."""
    met = {str(each["kind"]) for each in diagnostics if "severity" not in each}
    if "unawaited_request" in met:
        met.add("unawaited_call")
    return [each for each in diagnostics if "severity" not in each or each["kind"] not in met]


def _refused(diagnostic: Mapping[str, Any]) -> str:
    text = diagnostic.get("refusedText")
    if not isinstance(text, str):
        return ""
    beginning = text if len(text) <= _WINDOW else f"{text[:_WINDOW]}…"
    return f"; the last answer was {json.dumps(beginning, ensure_ascii=False)}"


def _dropped(report: Report) -> str | None:
    """What the report has no room for; None where it has everything."""
    counts = {
        "log() calls": report.logs_dropped,
        "phases": report.phases_dropped,
        "diagnostics": report.diagnostics_dropped,
    }
    lost = [f"{count} {name}" for name, count in counts.items() if count]
    return (
        f"dropped, for want of room: {', '.join(lost)}; --events FILE has all logs and phases"
        if lost
        else None
    )


def _label(diagnostic: Mapping[str, Any]) -> str:
    from flowcage.host.run.core.fold import UNKNOWN_REQUEST_TYPE  # it was imported by the run

    # Other diagnostics are about the workflow; this one means that host and child do not fit together.
    is_warning = diagnostic["kind"] == UNKNOWN_REQUEST_TYPE or "severity" in diagnostic
    return "warning" if is_warning else "note"


def explain_census(census: Census) -> str | None:
    """One line on the agent calls that failed; None where none did."""
    lost = census.failed + census.refused
    if not lost:
        return None
    text = f"{lost} of {census.calls} agent calls failed"
    if census.refused:
        text += f", {census.refused} of them refused before they began"
    if census.swallowed_errors:
        text += f"; {census.swallowed_errors} errors were swallowed by parallel() or pipeline()"
    return text


def _details(data: dict[str, Any]) -> list[str]:
    """The stack, the request that was rejected, and the same for each error that caused this one."""
    lines = [line for line in str(data.get("stack") or "").split("\n") if line]
    if isinstance(request := data.get("request"), dict):
        lines.append(f"    rejected: {request.get('type')} request {request.get('id')}")
    behind = [("caused by", data.get("cause"))]
    parts = data.get("errors")
    behind += [("one of", part) for part in parts] if isinstance(parts, list) else []
    for relation, error in behind:
        if isinstance(error, dict):
            lines += [f"  {relation}: {error.get('message')}", *_details(error)]
    return lines


def excerpt(source: str, line: int, column: int) -> list[str]:
    """The line that an error points at, and a caret; nothing if the line is empty or not in the file."""
    lines = source.split("\n")
    if not 1 <= line <= len(lines) or not 1 <= column <= len(lines[line - 1]) + 1:
        return []
    if not lines[line - 1].strip():  # an error at the end of the file
        return []
    text = lines[line - 1].rstrip("\r")
    # A window around the column: generated code may have lines of a megabyte.
    start = max(0, min(column - 1 - _WINDOW // 2, len(text) - _WINDOW))
    window = text[start : start + _WINDOW]
    before, behind = "…" if start else "", "…" if start + _WINDOW < len(text) else ""
    shown = "".join(char if char.isprintable() else " " for char in window)
    return [f"  {before}{shown}{behind}", f"  {' ' * (len(before) + column - 1 - start)}^"]
