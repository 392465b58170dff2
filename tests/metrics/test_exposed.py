"""Metrics under an address: of a server, of a run, and why there may be none."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry

from flowcage.host.metrics.exposed import Address, CannotExpose, exposed, read_address

from ..e2e.command import FLOWCAGE, flowcage
from ..serve.test_serve import TRIVIAL, Peer
from ..serve.test_serve import path as path
from .test_prometheus import Samples, parse, value

DEADLINE = 300


@pytest.mark.parametrize(
    ("text", "address", "url"),
    [
        ("9464", Address("127.0.0.1", 9464), "http://127.0.0.1:9464/metrics"),
        (":0", Address("127.0.0.1", 0), "http://127.0.0.1:0/metrics"),
        ("0.0.0.0:1", Address("0.0.0.0", 1), "http://0.0.0.0:1/metrics"),
        ("[::1]:9464", Address("::1", 9464), "http://[::1]:9464/metrics"),
        ("localhost:65535", Address("localhost", 65535), "http://localhost:65535/metrics"),
    ],
)
def test_an_address_is_on_loopback_unless_it_says_where(text: str, address: Address, url: str) -> None:
    assert (read_address(text), address.url) == (address, url)


@pytest.mark.parametrize("text", ["", "x", "65536", "::1:9464", "a:b:1", "[::1]", "1.2.3.4:", "http://x:1"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(CannotExpose, match=re.escape("127.0.0.1:9464")):
        read_address(text)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
    ],
)
def test_only_loopback_is_this_machine_alone(host: str, is_loopback: bool) -> None:
    assert Address(host, 1).is_loopback is is_loopback


def test_a_port_is_free_again_behind_the_block() -> None:
    with exposed("0", CollectorRegistry) as where:
        assert b"process_cpu_seconds_total" in urlopen(where.url, timeout=DEADLINE).read()
        with pytest.raises(CannotExpose, match="in use"), exposed(f":{where.port}", CollectorRegistry):
            pass
    with exposed(f":{where.port}", CollectorRegistry):
        pass


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:9464", 200),
        ("[::1]:9464", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:9464", 421),
        ("localhost.evil.example", 421),
    ],
)
def test_on_loopback_only_a_name_of_this_machine_is_answered(name: str, status: int) -> None:
    with exposed("0", CollectorRegistry) as where:
        connection = HTTPConnection(where.host, where.port, timeout=DEADLINE)
        connection.request("GET", "/metrics", headers={"Host": name})
        answer = connection.getresponse()
        assert (answer.status, b"process_cpu" in answer.read()) == (status, status == 200)
        connection.close()


@pytest.mark.parametrize("line", [b"\x00\xff" * 40_000, b"GET /metrics HTTP/1.1\r\n" + b"x" * 70_000, b""])
def test_what_is_no_request_ends_its_connection_and_nothing_else(
    line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with exposed("0", CollectorRegistry) as where:
        peer = socket.create_connection((where.host, where.port), timeout=DEADLINE)
        with suppress(OSError):
            peer.sendall(line)
            peer.shutdown(socket.SHUT_WR)
            peer.recv(100)
        peer.close()
        assert urlopen(where.url, timeout=DEADLINE).status == 200
    assert capfd.readouterr() == ("", "")


def scraped(url: str) -> Samples:
    with urlopen(url, timeout=DEADLINE) as answer:
        return parse(answer.read())


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command that serves metrics, and where."""
    command = [str(FLOWCAGE), *words, "--metrics-addr", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            yield process, line.removeprefix("flowcage: metrics at ").strip()
        finally:
            process.kill()


def test_a_server_shows_its_connections(path: Path) -> None:
    with started("serve", "--socket", str(path), "--handshake-timeout", "0.2") as (process, url):
        assert process.stderr is not None
        assert process.stderr.readline() == "flowcage: serving\n"
        silent = Peer(path)
        assert silent.rest() == b""
        peer = Peer(path)
        peer.ask(TRIVIAL[0][0], **TRIVIAL[0][1])
        samples = scraped(url)
        assert value(samples, "flowcage_serve_connections") == 1
        assert value(samples, "flowcage_serve_children") == 1
        assert value(samples, "flowcage_serve_connections_accepted_total") == 2
        assert value(samples, "flowcage_serve_faults_total", fault="silent") == 1
        assert value(samples, "process_open_fds") > 0
        peer.ask("shutdown")
        assert peer.rest() == b""
        process.terminate()
        assert process.wait(DEADLINE) == 0
        silent.close()
        peer.close()


def test_a_run_shows_its_agents_while_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text('log(await agent("q")); await SW.extra.sleep(1e8); export default 1')
    with started("run", str(tmp_path / "w.js"), "--agent", "mock", "--no-store") as (process, url):
        assert process.stderr is not None
        while "echo: q" not in process.stderr.readline():
            pass
        samples = scraped(url)
        assert value(samples, "flowcage_run_agents_completed_total") == 1
        assert value(samples, "flowcage_run_agents_waiting") == 0
        found = {"provider": "mock", "model": "", "outcome": "answered"}
        assert value(samples, "flowcage_agent_attempts_total", **found) == 1
        process.terminate()
        assert process.wait(DEADLINE) == 143


def test_a_port_in_use_and_an_address_that_is_none_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("export default 1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = flowcage("run", tmp_path / "w.js", "--metrics-addr", port)
    assert (finished.status, finished.stdout) == (2, "")
    assert finished.stderr.startswith(f"flowcage: --metrics-addr {port}: nothing can be served there: ")
    assert flowcage("serve", "--socket", tmp_path / "s", "--metrics-addr", "here").status == 2


def test_without_the_library_the_option_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError")
    (tmp_path / "w.js").write_text("export default 1")
    variables = {"PYTHONPATH": str(tmp_path)}
    finished = flowcage("run", tmp_path / "w.js", "--metrics-addr", "0", env=variables)
    assert (finished.status, "pip install 'flowcage[prometheus]'" in finished.stderr) == (2, True)
    assert flowcage("run", tmp_path / "w.js", env=variables).status == 0
