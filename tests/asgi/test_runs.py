"""Runs by HTTP, on each server: begun, read, followed, answered, ended, gone on with; one tenant each."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.routing import Route

from flowcage import TenantLimits

from .served import EACH_SERVER, Client, run

TWO = "export default [await agent('a'), await agent('b')]"


@EACH_SERVER
def test_a_run_is_begun_followed_and_read(server: str, tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        run_id = await client.start(
            "log('hi'); " + TWO, args={"n": 1}, metadata={"m": 1}, sourceName="two.js"
        )
        events = await client.events(run_id)
        names = [event.name for event in events]
        assert names[:3] == ["started", "log", "agent_queued"]
        assert names[-2:] == ["ended", "outcome"]
        assert [event.id for event in events[:-2]] == [str(1 + number) for number in range(len(events) - 2)]
        outcome = events[-1].data
        assert (outcome["verdict"], outcome["result"]) == ("completed", ["A", "B"])
        assert events[-2].data["census"] == outcome["census"]
        assert outcome["census"]["completed"] == 2
        assert (await client.get(f"/runs/{run_id}/result")).json() == outcome
        page = (await client.get(f"/runs/{run_id}")).json()
        assert (page["run"]["id"], page["run"]["sourceName"], len(page["calls"])) == (run_id, "two.js", 2)
        listed = (await client.get("/runs?verdict=completed")).json()["runs"]
        assert [(each["id"], each["tenant"]) for each in listed] == [(run_id, "acme")]
        assert (await client.get(f"/runs/{run_id}/calls/1")).json()["prompt"] == "a"
        report = await client.get(f"/runs/{run_id}/report?form=md")
        assert report.headers["content-disposition"].startswith("attachment")
        assert "two.js" in report.text
        assert (await client.get("/statistics")).json()["ended"] == {"completed": 1}

    run(server, tmp_path, work)


@EACH_SERVER
def test_a_client_that_comes_again_hears_what_follows_and_then_that_there_is_no_more(
    server: str, tmp_path: Path
) -> None:
    async def work(client: Client) -> None:
        run_id = await client.start(TWO)
        heard = await client.events(run_id, until="agent_started")
        client.gate.released.set()
        rest = await client.events(run_id, heard[-1].id)
        assert rest[0].id == str(int(heard[-1].id or 0) + 1)
        assert [each.name for each in rest].count("agent_completed") == 2
        again = await client.get(f"/runs/{run_id}/events", headers={"last-event-id": rest[-1].id or ""})
        assert (again.status_code, again.text) == (204, "")
        whole = await client.events(run_id)
        assert whole == [*heard, *rest]
        # Ids that no event has had.
        for unknown in ("999", "x", "-1", "1.1.1"):
            assert await client.events(run_id, unknown) == whole

    run(server, tmp_path, work, gated=True)


ASKS = "export default [await agent('a'), await SW.extra.ask('ship it?', {options: ['yes', 'no']})]"


@EACH_SERVER
def test_a_question_is_answered_or_refused(server: str, tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        ids = [await client.start(ASKS) for _ in range(2)]
        for run_id in ids:
            asked = (await client.events(run_id, until="question_asked"))[-1].data
            (question,) = (await client.get(f"/runs/{run_id}/questions")).json()
            assert (question["id"], question["options"]) == (asked["questionId"], ["yes", "no"])
        wrong = await client.post(f"/runs/{ids[0]}/answer", {"request": "2", "value": "perhaps"})
        assert (wrong.status_code, "does not take" in wrong.json()["detail"]) == (422, True)
        right = await client.post(f"/runs/{ids[0]}/answer", {"request": "2", "value": "yes"})
        assert right.json()["done"] == "answered"
        no = await client.post(f"/runs/{ids[1]}/answer", {"reject": "nobody is here"})
        assert no.json()["done"] == "rejected"
        assert (await client.outcome(ids[0]))["result"] == ["A", "yes"]
        assert "nobody is here" in (await client.outcome(ids[1]))["error"]["message"]
        late = await client.post(f"/runs/{ids[0]}/answer", {"request": "2", "value": "no"})
        assert late.status_code == 409

    run(server, tmp_path, work)


@EACH_SERVER
def test_a_run_is_cancelled_and_gone_on_with(server: str, tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        run_id = await client.start(TWO)
        await client.gate.at_work.wait()
        busy = await client.get(f"/runs/{run_id}/resume")
        assert (busy.status_code, "goes on already" in busy.json()["detail"]) == (409, True)
        got = await client.post(f"/runs/{run_id}/cancel", {"reason": "enough"})
        assert got.json() in [{"runId": run_id, "done": done} for done in ("asked", "ended")]  # by now
        await client.gate.was_cancelled.wait()
        first = await client.events(run_id)
        assert (first[-1].data["verdict"], first[-1].name) == ("cancelled", "outcome")
        ways = (await client.get(f"/runs/{run_id}/resume")).json()["ways"]
        assert [each["name"] for each in ways] == ["even-if-cancelled", "retry-failed", "edited"]
        told = await client.post(f"/runs/{run_id}/resume/explain", {"way": "even-if-cancelled"})
        assert [call["why"] for call in told.json()["calls"]] == [
            "it was at work when the run ended, and is asked again"
        ]
        client.gate.released.set()
        again = await client.post(f"/runs/{run_id}/resume", {"way": "even-if-cancelled"})
        assert (again.status_code, again.json()["runId"]) == (202, run_id)
        rest = await client.events(run_id, first[-1].id)  # it had heard the end, and there is more now
        assert rest[0].name == "resumed"
        assert rest[-1].data["result"] == ["A", "B"]
        assert client.gate.asked == ["a", "a", "b"]

    run(server, tmp_path, work, gated=True)


@EACH_SERVER
def test_a_run_is_forked_after_an_explanation(server: str, tmp_path: Path) -> None:
    edited = {"way": "edited", "source": TWO.replace("'b'", "'c'")}

    async def work(client: Client) -> None:
        run_id = await client.start(TWO)
        await client.outcome(run_id)
        told = (await client.post(f"/runs/{run_id}/resume/explain", edited)).json()
        assert [call["reused"] for call in told["calls"]] == ["1", None]
        fork = (await client.post(f"/runs/{run_id}/resume", edited)).json()["runId"]
        assert fork != run_id
        outcome = await client.outcome(fork)
        assert (outcome["result"], outcome["census"]["reused"]) == (["A", "C"], 1)
        two = {"way": "retry-failed", "source": "1"}
        for wrong in ({"way": "nope"}, {}, {"way": "edited"}, two, {"way": 1}, {"wai": "x"}):
            got = await client.post(f"/runs/{run_id}/resume", wrong)
            assert got.status_code in (409, 422), (wrong, got.text)

    run(server, tmp_path, work)


@EACH_SERVER
def test_a_run_that_its_client_waits_for_ends_with_the_client(server: str, tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        with anyio.move_on_after(60) as leaving:
            async with anyio.create_task_group() as group:
                group.start_soon(client.post, "/runs?wait", {"source": TWO, "runId": "waited"})
                await client.gate.at_work.wait()
                group.cancel_scope.cancel()
        assert not leaving.cancelled_caught
        await client.gate.was_cancelled.wait()
        assert (await client.outcome("waited"))["verdict"] == "cancelled"
        client.gate.released.set()
        got = await client.post("/runs?wait=true", {"source": TWO})
        assert (got.status_code, got.json()["result"]) == (200, ["A", "B"])

    run(server, tmp_path, work, gated=True)


# httpx leaves the generators of a stream that is not read to its end to the garbage collector.
@pytest.mark.filterwarnings("ignore:Async generator 'http(x|core)[.]:ResourceWarning")
@EACH_SERVER
def test_runs_of_another_tenant_are_not_there(server: str, tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        run_id = await client.start(ASKS)
        await client.events(run_id, until="question_asked")
        other = {"headers": {"authorization": "Bearer zeta"}}
        paths = ["", "/events", "/result", "/stream", "/questions", "/calls/1", "/report", "/resume"]
        for path in paths:
            got = await client.get(f"/runs/{run_id}{path}", **other)
            assert (got.status_code, "no run" in got.json()["detail"]) == (404, True), path
        for path, body in (
            ("/cancel", {}), ("/answer", {"value": "yes"}), ("/resume", {"way": "resume"}),
            ("/resume/explain", {"way": "resume"}),
        ):  # fmt: skip
            got = await client.post(f"/runs/{run_id}{path}", body, **other)
            assert got.status_code == 404, (path, got.text)
        assert (await client.get("/runs", **other)).json()["runs"] == []
        assert (await client.get(f"/bills?run={run_id}", **other)).json() == {}
        assert (await client.get(f"/compare?one={run_id}&other={run_id}", **other)).status_code == 404
        assert (await client.get("/statistics")).json()["running"] == 1
        assert (await client.get("/statistics", **other)).json()["running"] == 0
        async with client.http.stream("GET", "/runs/stream", headers=other["headers"]) as stream:
            lines = [line async for line in until_blank(stream.aiter_lines())]
        assert lines[0] == "event: runs"
        assert json.loads(lines[1].removeprefix("data: "))["runs"] == []
        assert (await client.post(f"/runs/{run_id}/answer", {"value": "yes"})).status_code == 200

    run(server, tmp_path, work)


def test_an_id_that_a_client_chose_is_seen_and_taken_by_no_other_tenant(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        other = {"headers": {"authorization": "Bearer zeta"}}
        asked = {"source": "return agent(args)", "runId": "nightly"}
        ours = await client.start(asked["source"], runId="nightly", args="a")
        assert (await client.outcome("nightly")) == (await client.outcome(ours))
        for chosen in ("nightly", ours):
            body = {**asked, "runId": chosen, "args": "z"}
            theirs = await client.post("/runs?wait", body, **other)
            assert (theirs.status_code, theirs.json()["result"]) == (200, "Z"), theirs.text
            found = await client.get(f"/runs/{chosen}/result", **other)
            assert found.json()["runId"] == theirs.json()["runId"] != ours
        assert (await client.get(f"/runs/{ours}/result")).json()["result"] == "A"
        for path in ("/runs", "/runs?wait"):
            again = await client.post(path, asked)
            assert (again.status_code, "already" in again.json()["detail"]) == (409, True), again.text

    run("asyncio", tmp_path, work)


async def until_blank(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines of one event."""
    async for line in lines:
        if not line:
            return
        yield line


def test_a_key_is_one_of_its_tenant(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        body = {"source": "export default 1", "key": "k"}
        first = (await client.post("/runs", body)).json()["runId"]
        other = await client.post("/runs", body, headers={"authorization": "Bearer zeta"})
        assert (other.status_code, other.json()["runId"] != first) == (202, True)
        assert (await client.post("/runs", body)).json()["runId"] == first

    run("asyncio", tmp_path, work)


def test_no_route_is_left_out_of_who_asks(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        routes = client.routes.routes()
        assert len(routes) >= 19
        for route in routes:
            assert isinstance(route, Route)
            path = re.sub(r"\{[^}]*\}", "x", route.path)
            for method in route.methods or ():
                # Nothing else is looked at before: the body is too large, and of another type.
                got = await client.http.request(
                    method, path, headers={"authorization": ""}, content=b" " * 2_000_000
                )
                assert got.status_code == 401, (method, path)

    run("asyncio", tmp_path, work)


@pytest.mark.parametrize("path", ["/runs", "/runs/x", "/runs/x/events", "/statistics", "/runs/x/report"])
def test_nobody_is_let_in_by_default(path: str, tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        for token in ("", "Bearer", "Bearer nobody"):
            got = await client.get(path, headers={"authorization": token})
            assert (got.status_code, got.headers["content-type"]) == (401, "application/problem+json")
        for act in ("/runs", "/runs/x/cancel", "/runs/x/answer", "/runs/x/resume", "/runs/x/resume/explain"):
            assert (await client.post(act, {}, headers={"authorization": ""})).status_code == 401

    run("asyncio", tmp_path, work)


@EACH_SERVER
def test_a_quota_that_is_used_up_is_told_with_when_to_come_again(server: str, tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        await client.start(TWO, key="k")
        await client.gate.at_work.wait()
        for path in ("/runs", "/runs?wait"):
            got = await client.post(path, {"source": TWO})
            assert (got.status_code, got.json()["quota"]) == (429, "queued_runs")
            assert int(got.headers["retry-after"]) >= 1
        client.gate.released.set()

    run(server, tmp_path, work, gated=True, default=TenantLimits(max_runs=1, max_queued=0))


@EACH_SERVER
def test_a_service_has_workflows_of_its_own(server: str, tmp_path: Path) -> None:
    root = tmp_path / "of_the_service"
    root.joinpath("workflows").mkdir(parents=True)
    (tmp_path / "secret.js").write_text("return 'secret'")
    root.joinpath("workflows", "out.js").symlink_to(tmp_path / "secret.js")
    two = root / "workflows" / "two.js"
    two.write_text("return [await agent('a'), await agent('b')]")
    root.joinpath("workflows", "sums.js").write_text(
        "import { twice } from './twice.mjs'; export default twice(args.n)"
    )
    root.joinpath("workflows", "twice.mjs").write_text("export const twice = (n) => 2 * n;")

    async def work(client: Client) -> None:
        assert (await client.get("/workflows")).json() == {"workflows": ["out", "sums", "twice", "two"]}
        summed = await client.post("/runs?wait", {"workflow": "sums", "args": {"n": 21}})
        assert (summed.status_code, summed.json().get("result")) == (200, 42), summed.text
        run_id = (await client.post("/runs", {"workflow": "two"})).json()["runId"]
        assert (await client.outcome(run_id))["result"] == ["A", "B"]
        two.write_text(two.read_text().replace("'b'", "'c'"))
        fork = await client.post(f"/runs/{run_id}/resume", {"way": "edited", "workflow": "two"})
        assert (await client.outcome(fork.json()["runId"]))["result"] == ["A", "C"]
        for body, status, said in (
            ({"source": "return 1"}, 403, "its own workflows only"),
            ({"workflow": "two", "source": "return 1"}, 422, "not both"),
            ({"workflow": "sums", "modules": {"workflows/twice.mjs": ""}}, 422, "not both"),
            ({"workflow": "two", "sourceName": "x.js"}, 422, "not both"),
            ({"modules": {}}, 403, "its own workflows only"),
            ({"workflow": "sum"}, 404, "did you mean 'sums'"),
            ({"workflow": "../secret"}, 404, "no workflow's name"),
            ({"workflow": "out"}, 404, "outside"),
            ({"workflow": 1}, 422, "expected a text"),
            ({}, 422, "source"),
        ):
            got = await client.post("/runs", body)
            assert (got.status_code, said in got.json()["detail"]) == (status, True), got.text
            again = await client.post(f"/runs/{run_id}/resume", {"way": "edited", **body})
            assert again.status_code == status

    run(server, tmp_path, work, routes={"workflows": root, "takes_source": False})


@EACH_SERVER
def test_a_source_comes_with_the_files_that_it_imports(server: str, tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        source = "import { one } from './one.mjs'; export default one"
        modules = {"one.mjs": "export const one = 1;"}
        got = await client.post("/runs?wait", {"source": source, "modules": modules})
        assert (got.status_code, got.json().get("result")) == (200, 1), got.text
        wrongs: list[Any] = [[], {"one.mjs": 1}, {f"{n}.mjs": "" for n in range(10_000)}]
        for wrong in wrongs:
            assert (await client.post("/runs", {"source": source, "modules": wrong})).status_code == 422

    run(server, tmp_path, work)
