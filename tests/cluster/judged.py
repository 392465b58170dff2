"""What must hold of all runs of a cluster, however often its workers and its server were killed."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import psycopg

from flowcage import RunOptions
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.records import Filter, RunRecord
from flowcage.host.resume.replay import replay
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Answered
from flowcage.protocol.messages import Json

from . import vault


class Judge:
    """Of one store whose runs have all ended.

    Args:
        address, schema: of the store.
        log: of what agents were asked.
    """

    def __init__(self, address: str, schema: str, log: Path) -> None:
        self._address, self._schema, self._folder = address, schema, log.parent
        self._asked: dict[str, list[Any]] = defaultdict(list)
        for line in log.read_text().splitlines():
            _, _run_id, key, *rest = json.loads(line)
            self._asked[key].append(rest)
        self.counts: Counter[str] = Counter()

    async def judge(self) -> dict[str, int]:
        self._judge_audit()
        options = vault.options(self._folder)
        store = PostgresStore.open(self._address, options, schema=self._schema, read_only=True)
        try:
            for summary in await store.runs(Filter(limit=1_000_000)):
                await self._judge_run(await store.load(summary.run_id))
        finally:
            await store.aclose()
        self.counts["asked"] = sum(map(len, self._asked.values()))
        return dict(self.counts)

    def require_sealed(self, *folders: Path) -> None:
        """No file has in the clear what agents have said."""
        for folder in folders:
            for path in folder.rglob("*"):
                clear = path.is_file() and vault.SECRET.encode() in path.read_bytes()
                assert not clear, f"{path} has what was said in the clear"

    def _judge_audit(self) -> None:
        """Each run ends once, but for quarantine; each epoch is one owner's, and they come in their order."""
        with psycopg.connect(self._address) as connection:
            rows = connection.execute(
                "SELECT run_id, state, verdict, epoch, owner FROM public.audit ORDER BY n"
            ).fetchall()
        ended: Counter[str] = Counter()
        owners: dict[tuple[str, int], str] = {}
        newest: dict[str, int] = defaultdict(int)
        for run_id, state, verdict, epoch, owner in rows:
            assert not ended[run_id], f"{run_id} was written after its end"
            assert epoch >= newest[run_id], f"{run_id} has gone back to epoch {epoch}"
            newest[run_id] = epoch
            if owner is not None:
                assert owners.setdefault((run_id, epoch), owner) == owner, (
                    f"two have epoch {epoch} of {run_id}"
                )
            if state == "ended" and verdict == "quarantined":  # it is gone on with by hand
                self.counts["quarantined"] += 1
            else:
                ended[run_id] += state == "ended"
        self.counts["epochs"] = len(owners)

    async def _judge_run(self, record: RunRecord) -> None:
        run_id, ending = record.summary.run_id, record.ending
        assert ending is not None
        assert record.summary.verdict == "completed", f"{run_id}: {record.summary.verdict} {ending.error}"
        answers = self._judge_calls(record)
        assert _numbers(ending.result) == sorted(answers.values()), f"{run_id} has another result"
        report = await replay(record, RunOptions(timeout_seconds=100))
        assert report.is_same, f"{run_id} is another when replayed: {report.divergences}"
        self.counts["verified"] += 1

    def _judge_calls(self, record: RunRecord) -> dict[str, str]:
        """No call is asked once more after its answer was written. The answers, by the keys of the calls."""
        core, answers = Core(record.rules), {}
        for entry in record.entries:
            given = entry.input
            if isinstance(given, Answered):
                call = core.tree.call(given.id)
                if call is not None and call.stage == "asked":
                    key = f"{record.summary.run_id}/{call.id}/{call.attempt}"
                    assert key not in answers, f"{key} has two answers"
                    answers[key] = _number(given.value)
                    self._judge_asked(key, entry.epoch, answers[key])
            core.step(entry.at, given)
        self.counts["answers"] += len(answers)
        return answers

    def _judge_asked(self, key: str, epoch: int, number: str) -> None:
        asked = self._asked[key]
        by_number = {each: epoch for epoch, each, _ in asked}
        assert by_number.get(number) == epoch, f"{key} has an answer that was given in another epoch: {asked}"
        later = [each for each in asked if each[0] > epoch]
        assert not later, f"{key} was answered in epoch {epoch}, and is asked again: {later}"
        assert len({each for each, _, _ in asked}) == len(asked), (
            f"{key} is asked twice in one epoch: {asked}"
        )
        for index, (_, _, interrupted) in enumerate(sorted(asked)):
            assert interrupted or index == 0, f"{key} is not told that it was asked: {asked}"


def _numbers(result: Json) -> list[str]:
    """The answers in a result."""
    assert isinstance(result, dict)
    found = [result["plan"], *result["parts"], *result["more"], result["last"]]
    return sorted(map(_number, found))


def _number(answer: Json) -> str:
    return str(answer).partition(" ")[0]
