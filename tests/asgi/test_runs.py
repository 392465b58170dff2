"""Runs by HTTP, on each server: begun, read, followed, answered, ended, gone on with; one tenant each."""

from __future__ import annotations

from pathlib import Path

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
