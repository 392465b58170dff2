"""What whoever starts a host has said of it, and the bounds that it has by itself."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.rpc import runs as remembering
from flowcage.host.rpc.run import RpcRun
from flowcage.host.rpc.runs import Runs
from flowcage.host.rpc.server import MAX_CLIENTS
from flowcage.host.tenants.host import Host
from flowcage.protocol.messages import MISSING
from tests.serve.test_serve import path

from .peer import AGENT, Connected, listening, piped

__all__ = ["path"]

ASK = "return await agent('Who?').catch(error => error.message)"
THROWS = {"agentFailure": "throw"}
# As long as a child takes; with the first character all of them are written as escapes.
TOO_LONG = "'\\ud800' + '\\u{1f600}'.repeat(1.9e6)"


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    yield
    while Connected.opened:
        Connected.opened.pop().close()


def test_a_time_for_runs_and_one_for_agents_hold_where_a_client_names_none() -> None:
    with piped("--no-store", "--timeout=1", "--agent-timeout=2") as peer:
        told = peer.greet(**AGENT)["options"]
        assert (told["timeoutSeconds"], told["agentTimeoutSeconds"]) == (1, 2)
        peer.ask("run.start", runId="r", source=ASK, options={"timeoutSeconds": 3600, **THROWS})
        asked = peer.asked()
        assert peer.told("request.cancelled") == {"id": asked["id"], "reason": "timeout"}
        assert "agentTimeoutSeconds" in peer.outcome("r")["result"]
        peer.ask("run.start", runId="s", source=ASK, options={"agentTimeoutSeconds": 3600})
        assert peer.outcome("s")["verdict"] == "wall_timeout"


def test_a_root_has_the_workflows_that_no_client_names(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "kid.js").write_text("return ['kid', args]")
    (tmp_path / "outside.js").write_text("return 'secret'")
    (tmp_path / "root" / "link.js").symlink_to(tmp_path / "outside.js")
    source = """
        const tried = (ref) => workflow(ref, 1).catch(() => 'no');
        return [await tried('kid'), await tried('link'), await tried({scriptPath: '../outside.js'})];
    """
    with piped("--no-store", f"--root={tmp_path / 'root'}") as peer:
        peer.greet()
        peer.ask("run.start", runId="r", source=source, sourceName=str(tmp_path / "root" / "w.js"))
        assert peer.outcome("r")["result"] == [["kid", 1], "no", "no"]
    with piped() as peer:
        peer.greet()
        peer.ask("run.start", runId="r", source=source, sourceName=str(tmp_path / "root" / "w.js"))
        assert peer.outcome("r")["result"] == ["no", "no", "no"]


def test_what_a_client_says_of_a_run_is_in_its_first_event() -> None:
    with piped() as peer:
        peer.greet(events=True)
        peer.ask("run.start", runId="r", source="return 1", metadata={"ticket": 7})
        assert peer.event("started")["metadata"] == {"ticket": 7}
        assert peer.outcome("r")["result"] == 1


def test_a_request_that_is_longer_than_a_line_rejects() -> None:
    with piped() as peer:
        peer.greet(handlers=["agent", "workflow"])
        source = f"""
            const long = {TOO_LONG};
            const why = (error) => error.message;
            return [await agent(long).catch(why), await workflow('x', long).catch(why)];
        """
        peer.ask("run.start", runId="r", source=source, options=THROWS)
        agent, workflow = peer.outcome("r")["result"]
        assert "more than a client takes" in agent
        assert "more than a client takes" in workflow


def test_so_many_clients_are_served_at_once_and_the_next_when_one_has_gone(path: Path) -> None:
    with listening(path):
        first, *others = [Connected(path) for _ in range(MAX_CLIENTS)]
        for each in (first, *others):
            each.greet()
        further = Connected(path)
        asked = further.begin("initialize", protocolVersion="1.0")
        for _ in range(50):  # of which the host would have found time to answer one more
            assert first.ask("run.list")["runs"] == []
        assert select.select([further.socket], [], [], 0)[0] == []
        first.close()
        assert further.reply(asked)["result"]["protocolVersion"] == "1.0"


def test_what_is_printed_is_not_between_the_messages() -> None:
    program = "from flowcage.host.rpc.wire import own_stream; stream = own_stream(); print('noise')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"noise\n")


@pytest.mark.parametrize("bound", ["MOST_REMEMBERED", "MOST_BYTES"])
def test_runs_that_are_over_are_remembered_up_to_a_bound(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, bound, {"MOST_REMEMBERED": 2, "MOST_BYTES": 250_000}[bound])

    async def main() -> list[str]:
        async with Host() as host, trio.open_nursery() as nursery:
            known = Runs(nursery)
            for name in ("a", "b", "c"):
                run = RpcRun(name, "w.js", remembering.now(), Nobody(), None, None, None)
                handle = await host.start("return 'x'.repeat(100000)", run_id=name, args=MISSING)
                known.follow(run, handle)
                await run.over.wait()
            return [run.run_id for run in known]

    assert trio.run(main) == ["b", "c"]


class Nobody:
    """A client that answers nothing."""

    asks: Any = None
    handlers: frozenset[str] = frozenset()
    goes_on = can_be_followed = False
    left = trio.Event()
