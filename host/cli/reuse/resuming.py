"""``flowcage resume`` where a run is not gone on with strictly: a fork, or what can be done instead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcage.host.cli import exits
from flowcage.host.cli.console import fail
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.reuse.guided import Asked, carry_out, files_of

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord, Summary

OF_FORKS = (
    *("explain", "dry_run", "as_json", "args_json", "args_file", "args_pairs"),
    "args_json_pairs",
    *("agent", "model_words", "budget", "max_cost", "max_total_agents"),
)


def fork_or_refuse(
    record: RunRecord, run: str, script: Path | None, even_if_cancelled: bool, given: dict[str, Any]
) -> None:
    """Fork a run and leave, where that was asked for; refuse one that cannot be gone on with.

    Args:
        record: of the run.
        run: as it was typed.
        script: the edited one.
        even_if_cancelled: whether a run that was cancelled is gone on with.
        given: the other options of the command.
    """
    from flowcage.host.durable.reuse.terms import Terms
    from flowcage.host.resume.refusals import NotResumable, require_resumable

    if script is not None or given["retry_failed"] or given["reuse"]:
        try:
            files = files_of(script, given)
        except InputError as error:
            fail(exits.USAGE, str(error))
        carry_out(Asked(run, script, Terms(), given, files), record)
    if any(given[name] for name in OF_FORKS):
        what = "an edited SCRIPT, --retry-failed or --reuse"
        fail(exits.USAGE, f"these options need {what}; a run that only goes on changes nothing")
    try:
        require_resumable(record.summary, None, even_if_cancelled)
    except NotResumable as error:
        fail(exits.USAGE, f"{error}\n{_ways(record.summary)}")


def _ways(summary: Summary) -> str:
    """What can be done with a run that cannot be gone on with."""
    name = summary.run_id
    ways = [
        (f"flowcage resume {name} SCRIPT", "runs an edited script with the answers it had"),
        (f"flowcage resume {name} --retry-failed", "asks only what had failed"),
        (f"flowcage fork {name} --at TURN", "runs it again from some turn on"),
    ]
    if summary.state == "diverged":
        ways[1] = (f"flowcage resume {name} --reuse", "goes on in a new run with the answers it had")
    width = max(len(command) for command, _ in ways)
    return "\n".join(f"  {command:<{width}}  {what}" for command, what in ways)
