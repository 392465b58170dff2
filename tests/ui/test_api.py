"""What the server tells of runs, and does to them: a real store, real runs, a client over a socket."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.sqlite.store import SqliteStore

from ..durable.places import begun
from ..e2e import kept
from ..e2e.command import DEADLINE
from ..e2e.kept import on
from .live import HOSTILE, Place
from .served import Client, Served, serving


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def until(events: Iterator[tuple[str, Any]], is_wanted: Any) -> Any:
    """The first event that is wanted; a stream that ends before is a failure."""
    for _, value in events:
        if is_wanted(value):
            return value
    raise AssertionError("the stream has ended")


# ---- the list --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    path = tmp_path_factory.mktemp("many") / "runs.db"

    async def begin(store: SqliteStore, name: str) -> None:
        await begun(store, name)
        if name.startswith("done"):
            await store.end(name, 1, kept.DONE)

    async def work(store: SqliteStore) -> None:
        async with trio.open_nursery() as nursery:  # in few commits
            for number in range(2_000):
                nursery.start_soon(begin, store, f"{'done' if number % 2 else 'gone'}-{number:04}")

    kept.with_store(path, work, clock=lambda: 5)  # all at one time, so ids decide about the order
    kept.make(path, "done-new")
    with serving(path) as served:
        yield served.client()


def test_two_thousand_runs_come_in_parts_without_a_gap(many: Client) -> None:
    found, query = [], "runs?limit=300"
    while True:
        part = many.json(query)
        found += [each["id"] for each in part["runs"]]
        if part["next"] is None:
            break
        query = f"runs?limit=300&before={part['next']}"
    assert found[0] == "done-new"
    assert sorted(found[1:]) == sorted(f"{'done' if n % 2 else 'gone'}-{n:04}" for n in range(2_000))
    assert found[1:] == sorted(found[1:], reverse=True)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("text=DONE-1&limit=2", ["done-1999", "done-1997"]),
        ("text=none", []),
        ("text=w.js&limit=1", ["done-new"]),
        ("state=abandoned&limit=1", ["gone-1998"]),
        ("state=running", []),
        ("state=running,abandoned&limit=1", ["gone-1998"]),
        ("state=ended&verdict=completed,failed&limit=2", ["done-new", "done-1999"]),
        ("verdict=failed", []),
        ("since=6", ["done-new"]),
    ],
)
def test_runs_are_found(many: Client, query: str, ids: list[str]) -> None:
    assert [each["id"] for each in many.json(f"runs?{query}")["runs"]] == ids


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("limit=0", "from 1 to 500"),
        ("limit=501", "from 1 to 500"),
        ("limit=1e2", "whole number"),
        ("limit=٣", "whole number"),
        ("since=-1", "whole number"),
        ("state=over", "'over' is none of"),
        ("verdict=<b>", "is none of"),
        ("before=x", "expected what next was"),
        ("before=1.' OR 1=1", "expected what next was"),
        ("order=id", "unknown: order"),
    ],
)
def test_a_query_that_nothing_can_be_like_is_said_so(many: Client, query: str, why: str) -> None:
    answer = many.get(f"runs?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert why in answer.json()["detail"]


def test_costs_are_told_of_a_part_of_the_runs(many: Client) -> None:
    bills = many.json("bills?run=done-new&run=none&run=gone-0000")
    assert sorted(bills) == ["done-new", "gone-0000"]
    assert many.get("bills?" + "&".join(f"run=done-{n:04}" for n in range(51))).status_code == 400


def test_the_list_tells_of_new_runs_and_of_those_that_are_gone(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    kept.make(store, "done-a", "gone-b", "done-c")
    with serving(store) as served, served.client().events("runs/stream?limit=2") as events:
        _, first = next(events)
        assert [each["id"] for each in first["runs"]] == ["done-c", "gone-b"]
        assert first["next"] is not None
        kept.make(store, "done-d")
        new = until(events, lambda value: value["runs"] and value["runs"][0]["verdict"])
        assert [each["id"] for each in new["runs"]] == ["done-d"]
        assert new["gone"] == []  # gone-b is beyond the two that are looked at, and not gone
        assert on(store, "rm", "done-d").status == 0
        assert until(events, lambda value: value["gone"])["gone"] == ["done-d"]


# ---- one run ---------------------------------------------------------------------------------


def test_a_run_is_told_live_from_another_process(place: Place) -> None:
    source = f"phase('One'); await agent('first', {{label: {HOSTILE!a}}}); await agent('wait'); return 'end'"
    with serving(place.store) as served:
        client = served.client()
        with place.running(source) as process:
            assert place.waits.read_text() == "waits\n"
            (run,) = client.json("runs")["runs"]
            with client.events(f"runs/{run['id']}/stream") as events:
                name, whole = next(events)
                assert (name, whole["run"]["state"]) == ("page", "running")
                assert [each["state"] for each in whole["calls"]] == ["answered", "open"]
                assert whole["calls"][0]["label"] == HOSTILE
                place.let_go()
                last = until(events, lambda value: value["run"]["state"] == "ended")
                assert last["run"]["verdict"] == "completed"
                assert last["run"]["result"] == "end"
                assert last["workflows"][0]["state"] == "ended"
            process.communicate(timeout=DEADLINE)
        call = client.json(f"runs/{run['id']}/calls/2")
        assert call["value"] == "answer to wait"
        assert client.get(f"runs/{run['id']}/calls/2/1").status_code == 404


def test_asking_for_the_head_of_a_stream_holds_none_open(tmp_path: Path) -> None:
    kept.make(tmp_path / "runs.db", "gone")
    with serving(tmp_path / "runs.db") as served:
        client = served.client()
        for path in ("runs/stream", "runs/gone/stream", "runs"):
            assert client.http.head(f"{client.base}/api/{path}").status_code == 200


def test_a_prompt_of_a_megabyte_is_cut_on_the_page_and_whole_by_itself(place: Place) -> None:
    run_id = place.ran("return (await agent('x'.repeat(1048576))).length")
    with serving(place.store) as served:
        client = served.client()
        page = client.json(f"runs/{run_id}")
        (call,) = page["calls"]
        assert call["cut"]["prompt"] == 1_048_576
        assert len(call["prompt"]) < 100_000
        assert len(client.json(f"runs/{run_id}/calls/1")["prompt"]) == 1_048_576
        with client.events(f"runs/{run_id}/stream") as events:
            assert next(events)[1]["calls"] == page["calls"]


def test_a_child_workflow_that_begins_while_somebody_looks_has_its_source(place: Place) -> None:
    (place.folder / "kid.js").write_text("return await agent('of the kid')")
    with serving(place.store) as served:
        client = served.client()
        with place.running("await agent('wait'); return await workflow('kid')"):
            assert place.waits.read_text() == "waits\n"
            (run,) = client.json("runs")["runs"]
            with client.events(f"runs/{run['id']}/stream") as events:
                assert len(next(events)[1]["workflows"]) == 1
                place.let_go()
                told = until(
                    events, lambda value: any(each["path"] and each["source"] for each in value["workflows"])
                )
        (kid,) = [each for each in told["workflows"] if each["path"]]
        assert kid["source"] == "return await agent('of the kid')"


@pytest.mark.parametrize("run_id", ["none", "x" * 101, "%00", "a%2Fb", "..%2F..%2Fetc", "@last", "é", "-x"])
def test_a_run_that_is_not_there_is_not_found(tmp_path: Path, run_id: str) -> None:
    kept.make(tmp_path / "runs.db", "done-a")
    with serving(tmp_path / "runs.db") as served:
        client = served.client()
        for path in ("", "/stream", "/calls/1", "/questions", "/resume"):
            assert client.get(f"runs/{run_id}{path}").status_code == 404
        for path in ("cancel", "answer", "resume", "resume/explain"):
            value = {"way": "resume"} if "resume" in path else {"value": 1} if path == "answer" else {}
            assert client.post(f"runs/{run_id}/{path}", value).status_code == 404


def test_a_run_of_another_tenant_is_as_one_that_is_not_there(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"

    async def work(opened: SqliteStore) -> None:
        await begun(opened, "ours", tenant="a")
        await begun(opened, "theirs", tenant="b")

    kept.with_store(store, work)
    with serving(store, "--tenant", "a") as served:
        client = served.client()
        assert [each["id"] for each in client.json("runs")["runs"]] == ["ours"]
        assert client.json("bills?run=ours&run=theirs").keys() == {"ours"}
        with client.events("runs/stream") as events:
            assert [each["id"] for each in next(events)[1]["runs"]] == ["ours"]
        for path in ("", "/stream", "/calls/1", "/questions", "/resume"):
            there, none = client.get(f"runs/theirs{path}"), client.get(f"runs/nobody{path}")
            assert there.status_code == none.status_code == 404
            assert there.text.replace("theirs", "nobody") == none.text
        assert client.get("compare?one=ours&other=theirs").status_code == 404
        for path in ("cancel", "answer", "resume", "resume/explain"):
            value = {"way": "resume"} if "resume" in path else {"value": 1} if path == "answer" else {}
            assert client.post(f"runs/theirs/{path}", value).status_code == 404
    assert [each["state"] for each in on(store, "ls", "--json").json] == ["interrupted"] * 2


# ---- a store that changes --------------------------------------------------------------------


def test_a_run_that_is_removed_under_its_page_is_said_so(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    kept.make(store, "done-a")
    with serving(store) as served, served.client().events("runs/done-a/stream") as events:
        assert next(events)[0] == "page"
        assert on(store, "rm", "done-a").status == 0
        name, problem = next(events)
        assert (name, problem["status"]) == ("problem", 404)
        assert list(events) == []


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_store_that_is_removed_under_the_page_is_said_so(tmp_path: Path, is_replaced: bool) -> None:
    store = tmp_path / "runs.db"
    kept.make(store, "done-a")
    with serving(store) as served:
        client = served.client()
        with client.events("runs/stream") as events:
            next(events)
            for file in tmp_path.glob("runs.db*"):
                if file.is_file():
                    file.unlink()
            if is_replaced:
                kept.make(store, "done-b")
            name, problem = next(events)
            assert (name, problem["status"]) == ("problem", 503)
        for path in ("runs", "runs/done-a", "runs/done-a/stream", "compare?one=done-a&other=done-a"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.json()["detail"] == f"{store} was deleted or replaced; start the server again"
        for path, value in (("cancel", {}), ("answer", {"value": 1})):
            assert client.post(f"runs/done-a/{path}", value).status_code == 503


def test_a_damaged_run_is_said_so_and_the_others_are_shown(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    kept.make(store, "done-damaged", inputs=True)
    kept.make(store, "done-whole")
    with serving(store) as served:
        client = served.client()
        assert len(client.json("runs")["runs"]) == 2
        assert client.json("bills?run=done-damaged&run=done-whole").keys() == {"done-whole"}
        damaged = client.get("runs/done-damaged")
        assert (damaged.status_code, "done-damaged" in damaged.json()["detail"]) == (500, True)
        with client.events("runs/done-damaged/stream") as events:
            assert next(events)[0] == "problem"


# ---- acting ----------------------------------------------------------------------------------


def test_a_run_is_cancelled_and_its_process_ends(place: Place) -> None:
    with serving(place.store) as served:
        client = served.client()
        with place.running("await agent('wait')") as process:
            assert place.waits.read_text() == "waits\n"
            (run,) = client.json("runs")["runs"]
            answer = client.post(f"runs/{run['id']}/cancel", {"reason": HOSTILE})
            assert answer.json() == {"runId": run["id"], "done": "asked"}
            process.communicate(timeout=DEADLINE)
        page = client.json(f"runs/{run['id']}")
        assert (page["run"]["verdict"], page["run"]["cancel"]["reason"]) == ("cancelled", HOSTILE)
        assert client.post(f"runs/{run['id']}/cancel", {}).status_code == 409
        assert client.post(f"runs/{run['id']}/cancel", {"reason": 1}).status_code == 400


QUESTIONS = """import { ask } from 'workflow:extra';
export default async () => [await ask('Ship it?', {options: ['yes', {label: 'no, wait', value: {wait: 3}}]}),
  await ask('How many?', {schema: {type: 'integer', minimum: 1}}), await ask('Who?'), await ask('Why?')
    .catch((error) => error.message)]"""


def test_questions_of_a_run_are_answered(place: Place) -> None:
    with serving(place.store) as served:
        client = served.client()
        with place.running(QUESTIONS) as process:
            run_id = _asked(client)

            def answer(number: str, status: int, **given: Any) -> Any:
                _until_asked(client, run_id, number)
                answered = client.post(f"runs/{run_id}/answer", {"request": number, **given})
                assert answered.status_code == status, answered.text
                return answered.json()

            (question,) = _until_asked(client, run_id, "1")
            assert (question["question"], question["options"]) == ("Ship it?", ["yes", "no, wait"])
            assert "none of the options" in answer("1", 422, value="maybe")["detail"]
            assert "none of the options" in answer("1", 422, typed="maybe")["detail"]
            for wrong in ({}, {"value": 1, "typed": "1"}, {"value": 1, "more": 2}, {"typed": 3}):
                assert client.post(f"runs/{run_id}/answer", {"request": "1", **wrong}).status_code == 400
            assert client.post(f"runs/{run_id}/answer", {"request": "9", "value": 1}).status_code == 409
            assert answer("1", 200, typed="no, wait")["done"] == "answered"
            assert "less than the minimum" in answer("2", 422, value=0)["detail"]
            answer("2", 200, value=2)
            answer("3", 200, value=HOSTILE)
            answer("4", 200, reject="@/etc/passwd")  # names no file, as it would on a command line
            process.communicate(timeout=DEADLINE)
        assert client.json(f"runs/{run_id}")["run"]["result"] == [{"wait": 3}, 2, HOSTILE, "@/etc/passwd"]
        assert client.json(f"runs/{run_id}/questions") == []
        assert client.post(f"runs/{run_id}/answer", {"value": 1}).status_code == 409


def _asked(client: Client) -> str:
    with client.events("runs/stream") as events:
        return str(until(events, lambda value: value["runs"])["runs"][0]["id"])


def _until_asked(client: Client, run_id: str, number: str) -> Any:
    with client.events(f"runs/{run_id}/stream") as events:
        for _, value in events:
            assert value["run"]["state"] == "running", value["run"]["error"]
            if any(each["id"] == number and each["state"] == "open" for each in value["calls"]):
                break
    return client.json(f"runs/{run_id}/questions")


def test_a_server_that_only_shows_changes_nothing(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    kept.make(store, "done-a", "gone")

    def files() -> list[str]:  # without those by which SQLite reads beside a writer
        return sorted(path.name for path in tmp_path.rglob("*") if path.suffix not in (".db-shm", ".db-wal"))

    before = files()
    with serving(store, "--read-only") as served:
        client = served.client()
        assert len(client.json("runs")["runs"]) == 2
        with client.events("runs/gone/stream") as events:
            assert next(events)[0] == "page"
        for path in ("cancel", "answer", "resume", "resume/explain"):
            assert client.post(f"runs/gone/{path}", {"value": 1}).status_code == 403
        assert 'data-acts="false"' in client.http.get(f"{client.base}/").text
    assert files() == before


# ---- going on --------------------------------------------------------------------------------


@pytest.fixture
def interrupted(place: Place) -> Place:
    place.ran("const a = await agent('one'); return [a, await agent('wait'), await agent('two')]", kill=True)
    return place


def _ways(client: Client, run_id: str) -> list[str]:
    return [each["name"] for each in client.json(f"runs/{run_id}/resume")["ways"]]


def test_an_interrupted_run_is_explained_and_gone_on_with(interrupted: Place) -> None:
    with serving(interrupted.store) as served:
        client = served.client()
        (run,) = client.json("runs")["runs"]
        assert run["state"] == "abandoned"
        told = client.json(f"runs/{run['id']}/resume")
        assert [each["name"] for each in told["ways"]] == ["resume"]
        assert told["begunWith"]["agent"].startswith("command:")
        explained = client.post(f"runs/{run['id']}/resume/explain", {"way": "resume"}).json()
        assert explained["reused"] == 1
        assert [(each["id"], each["reused"]) for each in explained["calls"]] == [("2", None), ("1", "1")]
        assert "at work" in explained["calls"][0]["why"]
        assert client.json("runs")["runs"][0]["state"] == "abandoned"
        started = client.post(f"runs/{run['id']}/resume", {"way": "resume"}).json()
        assert started["runId"] == run["id"]
        assert interrupted.waits.read_text() == "waits\n"
        assert client.get(f"runs/{run['id']}/resume").status_code == 409
        with client.events(f"runs/{run['id']}/stream") as events:
            interrupted.let_go()
            last = until(events, lambda value: value["run"]["state"] == "ended")
    assert last["run"]["result"] == ["answer to one", "answer to wait", "answer to two"]


def test_what_failed_is_asked_again_in_a_new_run_by_a_server_that_has_ended_since(place: Place) -> None:
    run_id = place.ran("return [await agent('one'), await agent('fail', {retry: {maxAttempts: 1}})]")
    place.mended.touch()
    with serving(place.store) as served:
        client = served.client()
        assert _ways(client, run_id) == ["retry-failed"]
        explained = client.post(f"runs/{run_id}/resume/explain", {"way": "retry-failed"}).json()
        assert [(each["id"], each["reused"]) for each in explained["calls"]] == [("1", "1"), ("2", None)]
        assert len(client.json("runs")["runs"]) == 1
        new = client.post(f"runs/{run_id}/resume", {"way": "retry-failed"}).json()["runId"]
        assert served.end(signal.SIGTERM) == 143
    waited = on(place.store, "wait", new)
    assert waited.json["result"] == ["answer to one", "answer to fail"]


def test_an_edited_file_is_a_way_to_go_on(interrupted: Place) -> None:
    interrupted.script.write_text("return [await agent('one'), await agent('three')]")
    with serving(interrupted.store) as served:
        client = served.client()
        (run,) = client.json("runs")["runs"]
        assert _ways(client, run["id"]) == ["resume", "edited"]
        explained = client.post(f"runs/{run['id']}/resume/explain", {"way": "edited"}).json()
        assert [each["reused"] for each in explained["calls"]] == ["1", None]
        new = client.post(f"runs/{run['id']}/resume", {"way": "edited"}).json()["runId"]
        with client.events(f"runs/{new}/stream") as events:
            last = until(events, lambda value: value["run"]["state"] == "ended")
        assert last["run"]["result"] == ["answer to one", "answer to three"]
        compared = client.json(f"compare?one={run['id']}&other={new}")
        assert compared["counts"] == {"same": 1, "changed": 1}


def test_an_edited_file_that_the_script_imports_is_a_way_to_go_on(place: Place) -> None:
    lib = place.script.parent / "lib.mjs"
    lib.write_text("export const last = () => agent('wait');")
    place.ran("import { last } from './lib.mjs';\nreturn [await agent('one'), await last()]", kill=True)
    with serving(place.store) as served:
        client = served.client()
        run_id = client.json("runs")["runs"][0]["id"]
        assert _ways(client, run_id) == ["resume"]
        lib.write_text("export const last = () => agent('three');")
        assert _ways(client, run_id) == ["resume", "edited"]
        explained = client.post(f"runs/{run_id}/resume/explain", {"way": "edited"}).json()
        assert [each["reused"] for each in explained["calls"]] == ["1", None]
        lib.unlink()
        assert _ways(client, run_id) == ["resume", "edited"]


def test_a_cancelled_run_says_that_it_was_and_a_programs_run_is_its_own(place: Place) -> None:
    place.ran("return [await agent('wait')]", kill=True)
    kept.make(place.store, "gone")  # by a program: it has no settings of a command
    with serving(place.store) as served:
        client = served.client()
        runs = {each["sourceName"]: each["id"] for each in client.json("runs?limit=2")["runs"]}
        ours = next(each["id"] for each in client.json("runs")["runs"] if each["id"] != "gone")
        assert runs
        assert client.post(f"runs/{ours}/cancel", {}).json()["done"] == "ended"
        assert _ways(client, ours) == ["even-if-cancelled", "retry-failed"]
        assert client.post(f"runs/{ours}/resume", {"way": "resume"}).status_code == 409
        refused = client.get("runs/gone/resume")
        assert (refused.status_code, "by a program" in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"way": 1}', b'{"way": "--store"}', b'{"way": ["x"]}']
)
def test_a_way_that_is_none_starts_nothing(interrupted: Place, body: bytes) -> None:
    with serving(interrupted.store) as served:
        client = served.client()
        (run,) = client.json("runs")["runs"]
        assert client.post(f"runs/{run['id']}/resume", body).status_code in (400, 409)
        assert client.json("runs")["runs"] == [run]


def test_a_body_beyond_every_measure_is_refused(tmp_path: Path) -> None:
    kept.make(tmp_path / "runs.db", "gone")
    with serving(tmp_path / "runs.db") as served:
        client = served.client()
        assert client.post("runs/gone/cancel", b'"' + b"x" * 17_000_000).status_code == 413
        assert client.post("runs/gone/cancel", b"[" * 100_000).status_code == 400
        assert client.json("runs")["runs"][0]["state"] == "abandoned"


def test_served_is_used(tmp_path: Path) -> None:
    with serving(tmp_path / "new.db") as served:  # a store is made where there is none
        assert isinstance(served, Served)
        assert served.client().json("runs")["runs"] == []
