"""Several browsers that act on one run at the same moment, by several servers of its store."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

from ..e2e.kept import with_store
from .live import Place
from .served import Client, serving


def _asleep(place: Place) -> str:
    """A run whose question nobody has answered, and whose process is gone."""
    source = "import { ask } from 'workflow:extra';\nexport default async () => ask('Who?')"
    with place.running(source, "--no-prompt"), serving(place.store) as served:
        client = served.client()
        with client.events("runs/stream") as events:
            run_id = next(row["id"] for _, told in events for row in told["runs"])
        with client.events(f"runs/{run_id}/stream") as events:
            next(told for _, told in events if any(each["state"] == "open" for each in told["calls"]))
    return str(run_id)


def _all_at_once(clients: list[Client], run_id: str, acts: list[tuple[str, Any]]) -> list[int]:
    start = Barrier(len(acts))

    def act(client: Client, path: str, value: Any) -> int:
        start.wait()
        return client.post(f"runs/{run_id}/{path}", value).status_code

    with ThreadPoolExecutor(len(acts)) as pool:
        mine = [clients[number % len(clients)] for number in range(len(acts))]
        return list(pool.map(lambda each: act(each[0], *each[1]), zip(mine, acts, strict=True)))


def test_of_answers_at_once_one_is_taken_and_kept(tmp_path: Path) -> None:
    place = Place(tmp_path)
    run_id = _asleep(place)
    with serving(place.store) as one, serving(place.store) as other:
        clients = [server.client() for server in (one, other) for _ in range(3)]
        answers = [("answer", {"request": "1", "value": f"number {number}"}) for number in range(6)]
        statuses = _all_at_once(clients, run_id, answers)
        questions = clients[0].json(f"runs/{run_id}/questions")
    assert Counter(statuses) == {200: 1, 409: 5}
    assert questions == []

    async def load(store: Any) -> Any:
        return await store.load(run_id)

    (kept,) = with_store(place.store, load).answers
    assert kept.answer.value == f"number {statuses.index(200)}"


def test_of_cancels_and_answers_at_once_the_run_ends_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    run_id = _asleep(place)
    with serving(place.store) as one, serving(place.store) as other:
        clients = [server.client() for server in (one, other) for _ in range(2)]
        acts = [("cancel", {"reason": "a"}), ("cancel", {}), ("answer", {"value": 1}), ("cancel", {})]
        statuses = _all_at_once(clients, run_id, acts)
        run = clients[0].json(f"runs/{run_id}")["run"]
    assert set(statuses) <= {200, 409}
    assert 200 in (statuses[0], statuses[1], statuses[3])
    assert (run["state"], run["verdict"]) == ("ended", "cancelled")
