"""How a command ends that has followed a run: the last line on stderr, where to look next, and the result."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from flowcage.host.cli.console import tell_record
from flowcage.host.cli.input_files import InputFiles
from flowcage.host.cli.live.amounts import dollars, seconds_text, tokens, word_of
from flowcage.host.cli.outcomes.results import Results
from flowcage.host.durable.address import StorePlace
from flowcage.host.outcome.report import Census, Report
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.terminal.colours import painted
from flowcage.host.terminal.text import is_interactive, safe, tell, wants_colour


class Spent(NamedTuple):
    """What the last line tells beside the verdict."""

    seconds: float
    census: Census
    tokens: int
    cost_usd: float
    unpriced: int


class Conclusion:
    """Of one command.

    Args:
        results: where the result goes.
        is_quiet: whether there is no last line.
        as_json: whether it is a record.
        store: of the run, as it was typed; None for the default one.
    """

    def __init__(self, results: Results, *, is_quiet: bool, as_json: bool, store: StorePlace | None) -> None:
        self._results = results
        self.is_quiet = is_quiet
        self._as_json = as_json
        self._store = store
        self._began = time.monotonic()

    @classmethod
    def of_command(cls, files: InputFiles, given: Mapping[str, Any]) -> Self:
        """As its options say.

        Raises:
            InputError: as `Results`.
        """
        results = Results(given["result_format"], given["output"], files)
        is_json = given["log_format"] == "json"
        return cls(results, is_quiet=given["quiet"], as_json=is_json, store=given["store"])

    def of(self, report: Report, members: Mapping[str, Any], *, is_kept: bool) -> None:
        """Tell how a run ended.

        Args:
            report: of it.
            members: of the line of JSON.
            is_kept: whether a store has it.

        Raises:
            OSError: the result cannot be written.
        """
        usage = report.usage
        seconds = time.monotonic() - self._began
        spent = Spent(seconds, report.census, usage.tokens, usage.cost_usd, usage.unpriced)
        self.tell(str(members["verdict"]), spent, members, "@last" if is_kept else None)

    def tell(self, verdict: str, spent: Spent, members: Mapping[str, Any], run: str | None) -> None:
        """The same of a run without a report; `run` is its name in a store, if it is in one.

        Raises:
            OSError: the result cannot be written.
        """
        if not self._results.is_read_by_a_person:
            self._tell_last(verdict, spent, run)
            self._results.write(members)
            return
        try:
            self._results.write(members)
        finally:  # a person sees the end of what is written
            self._tell_last(verdict, spent, run)

    def offer(self, report: Report, members: Mapping[str, Any], *, is_kept: bool) -> None:
        """As `of`, for a run that somebody has ended, who does not wait."""
        usage = report.usage
        seconds = time.monotonic() - self._began
        spent = Spent(seconds, report.census, usage.tokens, usage.cost_usd, usage.unpriced)
        self._tell_last(str(members["verdict"]), spent, "@last" if is_kept else None)
        self._results.offer(members)

    def _tell_last(self, verdict: str, spent: Spent, run: str | None) -> None:
        if self.is_quiet:
            return
        if self._as_json:
            tell_record("summary", **summary_json(verdict, spent))
            return
        colour = wants_colour()
        style = "bold green" if verdict == Verdict.COMPLETED else "bold red"
        tell(painted(safe(summary(verdict, spent)), style, colour=colour))
        if run is not None and is_interactive():
            store = "" if self._store is None else f" --store {shlex.quote(str(self._store))}"
            commands = (f"flowcage {command}{store}" for command in (f"show {run}", f"report {run} --open"))
            tell(painted(safe(f"look closer: {', '.join(commands)}"), "dim", colour=colour))


def summary(verdict: str, spent: Spent) -> str:
    """The last line: ``done in 5.7 s: 9 agents, 0 failed, 12.3k tokens, $0.41``."""
    census = spent.census
    told = f"{word_of(verdict)} in {seconds_text(spent.seconds)}"
    if not census.calls:
        return told
    counts = [
        f"{census.calls:,} agent{'' if census.calls == 1 else 's'}",
        f"{census.failed + census.refused:,} failed",
    ]
    counts += [
        f"{count:,} {what}"
        for count, what in ((census.cancelled, "cancelled"), (census.reused, "reused"))
        if count
    ]
    if spent.tokens:
        counts.append(f"{tokens(spent.tokens)} tokens")
    if cost := dollars(spent.cost_usd, spent.unpriced > 0):
        counts.append(cost)
    return f"{told}: {', '.join(counts)}"


def summary_json(verdict: str, spent: Spent) -> dict[str, Any]:
    """The same as members of a record."""
    census = spent.census
    return {
        "verdict": verdict,
        "seconds": round(spent.seconds, 3),
        "agents": census.calls,
        "failed": census.failed + census.refused,
        "cancelled": census.cancelled,
        "reused": census.reused,
        "tokens": spent.tokens,
        "costUsd": spent.cost_usd,
        "unpriced": spent.unpriced,
    }
