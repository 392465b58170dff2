"""examples/deploy: what systemd says of the units; what they and the image start is there and serves."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..e2e.command import DEADLINE, FLOWCAGE
from ..serve.test_serve import TRIVIAL, Peer

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
ANALYZE = shutil.which("systemd-analyze")
ACTIVATE = shutil.which("systemd-socket-activate")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def unit(name: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / name)
    return parser


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with the command that is installed here in the place of the one in /opt."""
    for name in ("flowcage.service", "flowcage.socket"):
        text = (DEPLOY / name).read_text().replace("/opt/flowcage/bin/flowcage", str(FLOWCAGE))
        (tmp_path / name).write_text(text)
    return tmp_path


@needs_systemd
@pytest.mark.parametrize("name", ["flowcage.service", "flowcage.socket"])
def test_systemd_finds_no_fault_with_a_unit(units: Path, name: str) -> None:
    assert ANALYZE is not None
    command = [ANALYZE, "verify", "--man=no", str(units / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "flowcage" in line]) == (0, [])


@needs_systemd
def test_the_service_is_hardened_as_far_as_the_cage_lets_it(units: Path) -> None:
    assert ANALYZE is not None
    command = [ANALYZE, "security", "--offline=true", "--threshold=25", str(units / "flowcage.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stdout


def test_the_service_may_make_the_calls_of_the_cage() -> None:
    service = unit("flowcage.service")["Service"]
    assert {"user", "net", "ipc", "uts", "mnt", "cgroup"} <= set(service["RestrictNamespaces"].split())
    calls = set(service["SystemCallFilter"].split())
    assert {"@system-service", "landlock_create_ruleset", "landlock_restrict_self"} <= calls
    assert "ProtectProc" not in service  # the host reads /proc/PID/status of children that are not dumpable


def served(process: subprocess.Popen[bytes], path: Path) -> None:
    """A peer runs a workflow."""
    peer = Peer(path)
    for method, params in TRIVIAL:
        answer = peer.ask(method, **params)
    assert answer["result"]["output"] == {"result": 1}
    peer.close()
    assert process.poll() is None


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.skipif(ACTIVATE is None, reason="systemd-socket-activate is not installed")
def test_the_command_of_the_service_serves_on_the_socket_that_systemd_hands_over() -> None:
    assert ACTIVATE is not None
    words = shlex.split(unit("flowcage.service")["Service"]["ExecStart"])[1:]
    words[words.index("--metrics-addr") + 1] = "127.0.0.1:0"
    with folder() as place:
        command = [ACTIVATE, "-l", str(place / "s"), str(FLOWCAGE), *words]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            try:
                assert process.stderr is not None
                assert b"Listening" in process.stderr.readline()
                served(process, place / "s")
                process.send_signal(signal.SIGTERM)
                assert process.wait(DEADLINE) == 0
            finally:
                process.kill()


def test_the_command_of_the_image_serves() -> None:
    (listed,) = re.findall(r"^CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    words = json.loads(listed)
    with folder() as place:
        words[words.index("--socket") + 1] = str(place / "s")
        words[words.index("--metrics-addr") + 1] = "127.0.0.1:0"
        with subprocess.Popen([FLOWCAGE, *words], stderr=subprocess.PIPE) as process:
            try:
                assert process.stderr is not None
                while process.stderr.readline() != b"flowcage: serving\n":
                    pass
                served(process, place / "s")
                process.terminate()
                assert process.wait(DEADLINE) == 0
            finally:
                process.kill()


def test_the_image_is_built_from_all_that_is_installed_and_nothing_else() -> None:
    copied = [
        words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)$", CONTAINERFILE, re.MULTILINE)
    ]
    sources = {source for words in copied for source in words}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = set(settings["tool"]["setuptools"]["package-dir"].values())
    assert sources == rooms | {"pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"}
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_health_check_of_the_image_says_whether_somebody_listens() -> None:
    (listed,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    program = json.loads(listed)[-1]
    with folder() as place:
        there = program.replace("/run/flowcage/flowcage.sock", str(place / "s"))
        with subprocess.Popen(
            [FLOWCAGE, "serve", "--socket", place / "s"], stderr=subprocess.PIPE
        ) as process:
            try:
                assert process.stderr is not None
                assert process.stderr.readline() == b"flowcage: serving\n"
                assert os.system(shlex.join(["python3", "-c", there])) == 0
                process.terminate()
                assert process.wait(DEADLINE) == 0
            finally:
                process.kill()
        silent = ["sh", "-c", f"{shlex.join(['python3', '-c', there])} 2>/dev/null"]
        assert subprocess.run(silent, timeout=DEADLINE, check=False).returncode == 1
