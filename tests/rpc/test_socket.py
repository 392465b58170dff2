"""Several clients of one host, over a socket: they come and go, and take over each other's runs."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.serve.test_serve import OTHER_UID, as_user, path

from .peer import FLOWCAGE, Connected, descendants, eventually, listening

__all__ = ["path"]

ASK = "return await agent('Who?')"


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    yield
    while Connected.opened:
        Connected.opened.pop().close()


@pytest.fixture
def host(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with listening(path) as process:
        yield process


def at_work(path: Path, policy: str, run: str = "r") -> Connected:
    """A client whose run waits for it."""
    peer = Connected(path)
    peer.greet(handlers=["agent"], onDisconnect=policy)
    peer.ask("run.start", source=ASK, runId=run)
    peer.asked()
    return peer


def leaves_nothing(host: subprocess.Popen[bytes]) -> None:
    """End a host, whose zygote and spares go with it."""
    below = descendants(host)
    host.send_signal(signal.SIGTERM)
    assert host.wait() == 128 + signal.SIGTERM
    assert not any(each.is_running() for each in below)


@pytest.mark.usefixtures("host")
def test_the_socket_is_for_its_user_alone_and_gone_at_the_end(path: Path) -> None:
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_the_end_removes_the_socket_and_the_children(path: Path) -> None:
    with listening(path) as process:
        peer = at_work(path, "continue")
        below = descendants(process)
        assert below
        process.send_signal(signal.SIGTERM)
        peer.rest()
        assert process.wait() == 128 + signal.SIGTERM
        assert not path.exists()
        assert not any(each.is_running() for each in below)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_after_the_first_change_nothing(path: Path, number: signal.Signals) -> None:
    with listening(path) as process:
        at_work(path, "continue")
        below = descendants(process)
        while process.poll() is None:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.002)
        assert process.returncode == 128 + number
        assert not path.exists()
        assert not any(each.is_running() for each in below)


@pytest.mark.usefixtures("host")
def test_each_client_is_asked_for_its_own_runs_and_any_may_wait(path: Path) -> None:
    one, two = Connected(path), Connected(path)
    for peer in (one, two):
        peer.greet(handlers=["agent"])
    one.ask("run.start", source=ASK, runId="one")
    two.ask("run.start", source=ASK, runId="two")
    waiting = two.begin("run.wait", runId="one")
    one.answer(one.asked(), value=1)
    two.answer(two.asked(), value=2)
    assert two.reply(waiting)["result"]["outcome"]["result"] == 1
    assert one.outcome("two")["result"] == 2
    assert [row["runId"] for row in one.ask("run.list")["runs"]] == ["two", "one"]


@pytest.mark.usefixtures("host")
def test_the_runs_of_a_client_that_hangs_up_are_cancelled(path: Path) -> None:
    gone, other = at_work(path, "cancel"), Connected(path)
    other.greet()
    waiting = other.begin("run.wait", runId="r")
    gone.close()
    assert other.reply(waiting)["result"]["outcome"]["verdict"] == "cancelled"


@pytest.mark.usefixtures("host")
def test_the_runs_of_a_client_that_asked_for_it_wait_for_the_next_one(path: Path) -> None:
    gone, other = at_work(path, "continue"), Connected(path)
    other.greet(handlers=["agent"])
    assert other.refused("run.attach", runId="r") == {"kind": "run_has_client", "runId": "r"}
    gone.close()
    eventually(lambda: not other.ask("run.get", runId="r")["run"]["hasClient"])
    assert other.ask("run.attach", runId="r", events=True)["state"] == "running"
    asked = other.asked()
    assert asked["params"]["interrupted"] is True
    other.answer(asked, value="by another")
    assert other.event("agent_completed")["value"] == "by another"
    assert other.event("ended")["verdict"] == "completed"
    assert other.outcome("r")["result"] == "by another"
    assert other.refused("run.attach", runId="r") == {"kind": "run_has_ended", "runId": "r"}


def test_a_client_that_goes_while_its_run_is_being_begun_leaves_no_run(
    host: subprocess.Popen[bytes], path: Path
) -> None:
    other = Connected(path)
    other.greet()
    for number in range(20):
        gone = Connected(path)
        gone.begin("initialize", protocolVersion="1.0", handlers=["agent"])
        gone.begin("run.start", source=ASK, runId=f"r-{number}")
        gone.close()
    eventually(lambda: len(other.ask("run.list", state="ended")["runs"]) == 20)
    leaves_nothing(host)


def test_what_was_to_be_begun_before_a_shutdown_has_ended_after_it(
    host: subprocess.Popen[bytes], path: Path
) -> None:
    other = Connected(path)
    other.greet()
    for number in range(5):
        peer = Connected(path)
        peer.begin("initialize", protocolVersion="1.0", handlers=["agent"])
        peer.begin("run.start", source=ASK, runId=f"r-{number}")
        assert peer.ask("shutdown") == {}
        assert other.ask("run.get", runId=f"r-{number}")["run"]["state"] == "ended"
    leaves_nothing(host)


@pytest.mark.usefixtures("host")
def test_a_client_that_shuts_down_is_answered_and_its_runs_have_ended(path: Path) -> None:
    peer, other = at_work(path, "cancel"), Connected(path)
    other.greet()
    assert peer.ask("shutdown") == {}
    assert peer.read() is None
    assert other.ask("run.get", runId="r")["run"]["state"] == "ended"


@pytest.mark.usefixtures("host")
def test_a_client_that_sends_half_a_line_and_hangs_up_harms_nobody(path: Path) -> None:
    for data in (b"", b"{", b'{"jsonrpc":"2.0","id":1,"method":"initialize"', b"\0" * 1000, b"\n" * 1000):
        broken = Connected(path)
        broken.send_bytes(data)
        broken.close()
    peer = Connected(path)
    peer.greet()
    assert peer.ask("run.list")["runs"] == []


def test_a_client_that_reads_nothing_holds_up_nobody_and_is_bounded(path: Path) -> None:
    with listening(path, "--no-store", "--unread-timeout=1") as process:
        deaf, other = Connected(path), Connected(path)
        other.greet()
        deaf.greet(events=True)
        source = "for (;;) { log('x'.repeat(100000)); await SW.extra.sleep(1) }"
        deaf.send(id=1, method="run.start", params={"source": source, "runId": "loud"})
        eventually(lambda: bool(other.ask("run.list")["runs"]))
        assert other.outcome("loud")["verdict"] == "cancelled"
        assert process.poll() is None


def test_a_reader_that_is_slow_misses_events_and_never_the_last(path: Path) -> None:
    text = (
        "for (let i = 0; i < 20000; i++) { log('x'.repeat(500)); if (i % 1000 == 0) await sleep(1) } return 1"
    )
    with listening(path, "--no-store", "--unread-timeout=3600"):
        slow, other = Connected(path), Connected(path)
        other.greet()
        slow.greet(events=True)
        slow.ask("run.start", source=f"const sleep = SW.extra.sleep; {text}", runId="r")
        slow.send(id=1, method="run.wait", params={"runId": "r"})
        assert other.outcome("r")["verdict"] == "completed"  # before more is read
        slow.reply(1)
        events = [each["params"]["event"] for each in slow.seen if each.get("method") == "run.event"]
        dropped = sum(each["dropped"] for each in events if each["type"] == "gap")
        assert dropped > 0
        assert events[-1]["type"] == "ended"
        assert events[-1]["seq"] == dropped + sum(each["type"] != "gap" for each in events)


@pytest.mark.usefixtures("host")
def test_a_second_host_does_not_take_the_socket(path: Path) -> None:
    command = [str(FLOWCAGE), "host", "--no-store", f"--socket={path}"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"another server is listening" in done.stderr


def test_a_host_without_descriptors_for_more_clients_keeps_those_it_has(path: Path) -> None:
    with listening(path) as process:
        peer = Connected(path)
        peer.greet(handlers=["agent"])
        peer.ask("run.start", source=ASK, runId="r")
        asked, waiting = peer.asked(), peer.begin("run.wait", runId="r")
        of_host = psutil.Process(process.pid)
        most = of_host.num_fds() + 2
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (most, hard))
        others = [Connected(path) for _ in range(5)]
        eventually(lambda: of_host.num_fds() == most)
        assert [row["runId"] for row in peer.ask("run.list")["runs"]] == ["r"]
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert others[-1].greet()["tenant"] == "default"
        peer.answer(asked, value=1)
        assert peer.reply(waiting)["result"]["outcome"]["result"] == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.usefixtures("host")
def test_a_peer_of_another_user_is_closed_unheard(path: Path) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o666)
    with as_user(OTHER_UID):
        peer = Connected(path)
    assert peer.read() is None
