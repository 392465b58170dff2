"""The programs of `examples/service`: what they cannot use is one message, no traceback."""

from __future__ import annotations

import runpy
import signal
import socket
import subprocess
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE = 300
TENANTS = {
    "[]": "expected an object of tenants by name",
    "{": "Expecting",
    '{"a": 5}': "tenant 'a': expected an object with a 'token'",
    '{"a": {"token": 5}}': "tenant 'a': expected an object with a 'token'",
    '{"a": {"token": ""}}': "tenant 'a': expected an object with a 'token'",
    '{"a": {"token": "t", "limits": {"max_wishes": 3}}}': "tenant 'a', limits: ",
    '{"a": {"token": "t", "limits": {"max_runs": 0}}}': "tenant 'a', limits: max_runs must be",
    '{"a": {"token": "t", "limits": 7}}': "tenant 'a', limits: ",
    '{"a": {"token": "t"}, "b": {"token": "t"}}': "two tenants have the same token",
}
USAGE = [
    ("service", "--port abc", "--port"),
    ("service", "--port 99999", "--port 99999: expected 0 to 65535"),
    ("service", "--port {taken}", "--port {taken}: Address already in use"),
    ("service", "--tenants no/such.json", "--tenants no/such.json: No such file"),
    ("service", "--tenants .", "--tenants .: Is a directory"),
    ("service", "--max-runs 0", "--max-runs: expected at least 1, not 0"),
    ("service", "--agent-seconds nan", "--agent-seconds: expected seconds, 0 or more, not nan"),
    ("service", "--agent-seconds x", "--agent-seconds"),
    ("service", "--grace-seconds -3", "--grace-seconds: expected seconds, 0 or more, not -3"),
    ("service.load", "--rounds 0", "--rounds: expected at least 1, not 0"),
    ("service.load", "--seconds inf", "--seconds: expected seconds, 0 or more, not inf"),
    ("service.load", "--hostile-runs 0", "--hostile-runs: expected at least 1, not 0"),
    ("service.load", "--attack nope", "--attack: invalid choice: 'nope'"),
    ("service.hostile", "", "port"),
    ("service.hostile", "abc", "port: invalid int value"),
    ("service.hostile", "99999999", "port 99999999: "),
    ("service.hostile", "{free}", "port {free}: "),
    ("service.hostile", "1 nope", "there is no attack 'nope'; there are spin"),
]

EXECUTED = {("service", "--port {taken}"), ("service", "--port 99999"), ("service.load", "--rounds 0")}


def start(module: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"examples.{module}", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(module: str, *words: str) -> tuple[int, str]:
    with start(module, *words) as process:
        _, stderr = process.communicate(timeout=DEADLINE)
    assert "Traceback" not in stderr
    return process.returncode, stderr


def said_here(module: str, *words: str) -> tuple[int, str]:
    """The same in this process, which has imported it all; it must refuse before anything is started."""
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(StringIO()) as stderr:
        patch.setattr(sys, "argv", [module, *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(f"examples.{module}", run_name="__main__", alter_sys=True)
    assert isinstance(ended.value.code, int)
    return ended.value.code, stderr.getvalue()


@pytest.mark.parametrize(("module", "words", "message"), USAGE)
def test_a_wrong_option_is_one_message_that_names_it(module: str, words: str, message: str) -> None:
    here = module != "service.hostile" and (module, words) not in EXECUTED
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            ports = {"taken": taken.getsockname()[1], "free": closed.getsockname()[1]}
        status, stderr = (said_here if here else said)(module, *words.format(**ports).split())
    assert status == 2
    assert message.format(**ports) in stderr


@pytest.mark.parametrize("text", TENANTS)
def test_a_file_of_tenants_that_makes_no_sense_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tenants.json"
    path.write_text(text)
    status, stderr = said_here("service", "--port", "0", "--tenants", str(path))
    assert status == 2
    assert f"--tenants {path}: {TENANTS[text]}" in stderr


def test_a_load_test_with_too_few_runs_for_a_figure_says_so() -> None:
    status, stderr = said("service.load", "--seconds", "0", "--rounds", "1", "--attack", "leave")
    assert status == 1
    assert "0 runs alone and 0 beside the hostile tenant were measured, too few for a figure" in stderr


def test_a_service_ends_at_ctrl_c_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "tenants.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": {"token": "t"}}')  # a byte-order mark, and no limits
    with start("service", "--port", "0", "--tenants", str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert "Traceback" not in stderr
