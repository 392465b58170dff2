"""How much of a run is reused after an edit, over the workflows of tests/reuse/workflows.

    python bench/reuse/measure.py [--json] [--seeds N]

Each workflow is run once, and then forked as it is edited, with another order of answers. An agent answers
when the child is quiet and everybody who was asked waits: whom it answers then is drawn from the seed. So the
figures do not depend on the machine. What the fork asks anew is answered by content, and where calls are
equal, by the run and their number: such an answer is another one than in the old run, and so is what follows
from it.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import trio
from orchestra import Orchestra, Tap

from flowcage.host import RunOptions, Zygote
from flowcage.host.durable.reuse.calls import Call
from flowcage.host.durable.reuse.terms import Terms
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.reuse.forks import fork_of
from flowcage.host.run.run import Run
from flowcage.host.workflows.child_workflows import ChildWorkflows
from flowcage.protocol.messages import AgentRequest, Json

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "reuse" / "workflows"
ARGS: Json = {
    "question": "do whales sleep",
    "topic": "whales",
    "items": ["ash", "birch", "cedar", "elm", "fir", "oak"],
    "files": ["a.py", "b.py", "c.py", "d.py"],
}

# ---- edits -----------------------------------------------------------------------------------


def put_first(source: str) -> str:
    """Another call before all others."""
    end = source.index("};\n", source.index("export const meta")) + 3
    return f"{source[:end]}await agent('Look around first');\n{source[end:]}"


def renamed(source: str) -> str:
    """Other labels."""
    return re.sub(r"label: (?=[`'a-z])", "label: 'new ' + ", source)


def one_changed(source: str) -> str:
    """Another prompt, in the middle one of the places with a prompt."""
    places = [found.end() for found in re.finditer(r"agent\([`']", source)]
    at = places[len(places) // 2]
    return f"{source[:at]}Carefully: {source[at:]}"


EDITS: Mapping[str, Callable[[str], str]] = {
    "none": str,
    "one call had failed": str,
    "a call put first": put_first,
    "labels renamed": renamed,
    "one prompt changed": one_changed,
}


# ---- runs ------------------------------------------------------------------------------------


class Reuse(NamedTuple):
    """Of one fork.

    Attributes:
        reused: answers of the old run that it has.
        answers: those that there were.
        possible: calls of it that the old run had an answer for, however they are matched.
        asked: how often its agents were asked.
    """

    workflow: str
    reused: int
    answers: int
    possible: int
    asked: int


class Bench:
    """Runs and forks on one store."""

    def __init__(self, store: SqliteStore, launcher: Zygote) -> None:
        self._store = store
        self._launcher = launcher

    async def first(self, name: str, source: str, orchestra: Orchestra) -> int:
        """A run; how many of its calls were answered."""
        options = self._options(orchestra)
        kept = await begin(self._store, name, source, "w.js", ARGS, options)
        return await self._conduct(kept.run(options), kept.execute, orchestra, "completed")

    async def fork(self, name: str, of: str, source: str, orchestra: Orchestra) -> int:
        """A fork; how many of its calls have an old answer."""
        fork = await fork_of(self._store, of, Terms(), source=source)
        options = self._options(orchestra)
        given = (fork.source, fork.source_name, fork.args, options)
        kept = await begin(self._store, name, *given, fork=fork)
        return await self._conduct(kept.run(options), kept.execute, orchestra, "reused")

    async def possible(self, name: str, of: str) -> int:
        """How many calls of a fork are equal to one of the old run that has an answer, each taken once."""
        first = await fork_of(self._store, of, Terms())
        calls = (await fork_of(self._store, name, Terms())).old.calls
        had = Counter(each.key for each in first.old.calls if _is_answered_agent(each))
        has = Counter(each.key for each in calls if isinstance(each.request, AgentRequest))
        return (had & has).total()

    async def _conduct(self, run: Run, execute: Any, orchestra: Orchestra, count: str) -> int:
        assert run.driver.journal is not None
        run.driver.journal = Tap(run.driver.journal, orchestra)
        orchestra.run = run
        async with trio.open_nursery() as nursery:
            nursery.start_soon(orchestra.conduct)
            outcome = await execute(run)
            nursery.cancel_scope.cancel()
        return int(getattr(outcome.census, count))

    def _options(self, agent: Orchestra) -> RunOptions:
        below = ChildWorkflows(FOLDER / "below", FOLDER / "below")
        return RunOptions(
            agent=agent, workflow=below, launcher=self._launcher, max_agents=64, budget_tokens=1_000_000
        )


def _is_answered_agent(call: Call) -> bool:
    return call.outcome == "answered" and isinstance(call.request, AgentRequest)


async def measure(seeds: int) -> dict[str, list[Reuse]]:
    """Every workflow after every edit."""
    found: dict[str, list[Reuse]] = {edit: [] for edit in EDITS}
    launcher = Zygote()
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore.open(Path(folder) / "runs.db", durability="relaxed")
        bench = Bench(store, launcher)
        try:
            for path in sorted(FOLDER.glob("*.js")):
                for seed in range(seeds):
                    await _measure(bench, path, seed, found)
        finally:
            await store.aclose()
            await launcher.aclose()
    return found


async def _measure(bench: Bench, path: Path, seed: int, found: dict[str, list[Reuse]]) -> None:
    source, name = await trio.Path(path).read_text(), f"{path.stem}.{seed}"
    whole = await bench.first(name, source, Orchestra(2 * seed))
    failing = Orchestra(2 * seed, fails=max(2, whole // 3))
    partly = await bench.first(f"{name}.failing", source, failing)
    for number, (edit, change) in enumerate(EDITS.items()):
        edited, orchestra = change(source), Orchestra(2 * seed + 1)
        assert (edited != source) is (change is not str) or edit == "labels renamed"
        old, answers = (f"{name}.failing", partly) if edit == "one call had failed" else (name, whole)
        fork = f"{name}.{number}"
        reused = await bench.fork(fork, old, edited, orchestra)
        possible = await bench.possible(fork, old)
        found[edit].append(Reuse(path.stem, reused, answers, possible, orchestra.asked))


def shares(found: Mapping[str, list[Reuse]]) -> dict[str, float]:
    """Per cent of all answers that are reused, by edit."""
    return {
        edit: round(100 * sum(row.reused for row in rows) / sum(row.answers for row in rows), 1)
        for edit, rows in found.items()
    }


def table(found: Mapping[str, list[Reuse]]) -> str:
    """In Markdown."""
    lines = ["| edit | reused, % | answers | of the possible, % | asked anew |", "|---|--:|--:|--:|--:|"]
    for edit, share in shares(found).items():
        rows = found[edit]
        answers, asked = sum(row.answers for row in rows), sum(row.asked for row in rows)
        of = 100 * sum(row.reused for row in rows) / sum(row.possible for row in rows)
        lines.append(f"| {edit} | {share} | {answers} | {of:.1f} | {asked} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the shares, and each row")
    parser.add_argument("--seeds", type=int, default=1, help="orders of answers for each workflow")
    given = parser.parse_args()
    found = trio.run(partial(measure, given.seeds))
    if given.json:
        rows = {edit: [row._asdict() for row in rows] for edit, rows in found.items()}
        print(json.dumps({"shares": shares(found), "rows": rows}))
    else:
        print(table(found))


if __name__ == "__main__":
    main()
