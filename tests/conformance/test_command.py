"""``flowcage conformance`` as a person uses it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from flowcage.conformance.command import KINDS
from flowcage.conformance.on_child import CHILD_CHECKS
from flowcage.conformance.on_host import HOST_CHECKS

from ..child.child_process import COMMAND
from ..e2e.command import FLOWCAGE, flowcage
from .recording import GOOD_CHILD, broken_child

GOOD = shlex.join(GOOD_CHILD)


def test_a_child_that_passes_is_status_0_with_a_line_for_each_check() -> None:
    finished = flowcage("conformance", "--child", GOOD, "--only", "ending")
    assert finished.status == 0, finished.stdout
    *lines, total = finished.stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["ok", check.id] for check in CHILD_CHECKS.checks if check.id.startswith("ending/")
    ]
    assert total == f"{len(lines)} checks, {len(lines)} passed, 0 failed"


def test_a_failure_is_status_1_and_tells_the_contract_and_what_was_seen() -> None:
    child = shlex.join(broken_child("calls/sleep"))
    finished = flowcage("conformance", "--child", child, "--only", "calls")
    assert finished.status == 1
    report = finished.stdout
    assert "FAIL  calls/sleep (MUST)\n      contract  sleep asks with its milliseconds. [" in report
    assert "seen      the requests: expected [{'type': 'sleep', 'id': '1', 'durationMs': 12}], saw" in report
    assert report.endswith("1 failed: calls/sleep\n")


def test_junit_has_a_case_for_each_check_and_the_failure_in_its_own(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    child = shlex.join(broken_child("values/nul"))
    assert flowcage("conformance", "--child", child, "--only", "values/n*", "--junit", path).status == 1
    suite = ElementTree.parse(path).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failed == ["nul"]


LAYER_NAMED_BY_A_CHILD = """
import json, sys
from flowcage.conformance.fake_child import Model
for line in sys.stdin:
    reply = Model().answer("initialize", {})
    reply["result"]["isolation"] = {chr(0xd800) + chr(27) + "[31m" + chr(10) + "ok": 5}
    print(json.dumps({"jsonrpc": "2.0", "id": json.loads(line)["id"], **reply}), flush=True)
"""


def test_names_that_no_text_can_hold_are_told_as_far_as_they_go() -> None:
    child = shlex.join((sys.executable, "-I", "-c", LAYER_NAMED_BY_A_CHILD))
    finished = flowcage("conformance", "--child", child, "--only", "initialize/speaks-1.0")
    assert (finished.status, finished.stderr) == (1, ""), finished.stdout
    assert "/isolation/\ufffd\ufffd[31m\n                ok: must be an object" in finished.stdout


def test_list_shows_every_check_of_every_kind() -> None:
    listed = flowcage("conformance", "--list").stdout.splitlines()
    ids = [check.id for kind in KINDS.values() for check in kind.checks]
    assert [line.split()[0] for line in listed] == ids


def test_level_must_leaves_out_what_is_only_advised() -> None:
    listed = flowcage("conformance", "--list", "--level", "MUST").stdout
    assert "ending/eof " in listed
    assert "ending/quiet-stderr " not in listed


NOT_CHILDREN = {
    "true": ("exit status 0", "the first bytes of stdout are b''"),
    "false": ("exit status 1",),
    "echo hello": ("b'hello'", "exit status 0"),
    "sh -c 'echo broken >&2; exit 3'": ("exit status 3", "broken"),
    "cat": ("conformance/hello", "it still runs"),
    "sleep 60": ("no answer within 2 s", "it still runs"),
    "sh -c 'sleep 61 & sleep 62'": ("no answer within 2 s",),
    "yes": ("b'y'",),
    "cat /dev/zero": ("that answer nothing",),
}


@pytest.mark.parametrize(("command", "told"), NOT_CHILDREN.items(), ids=NOT_CHILDREN)
def test_what_is_no_child_is_status_2_and_what_was_seen(command: str, told: tuple[str, ...]) -> None:
    finished = flowcage("conformance", "--child", command, "--timeout", "2" if "sleep" in command else "200")
    assert finished.status == 2
    assert "this is not a flowcage child" in finished.stderr
    for text in told:
        assert text in finished.stderr


def test_what_escaped_from_its_session_is_ended_too() -> None:
    marker = "86399.25"
    flowcage("conformance", "--child", f"sh -c 'setsid sleep {marker} & echo gone'", "--timeout", "200")
    assert [
        process for process in psutil.process_iter(["cmdline"]) if marker in (process.info["cmdline"] or ())
    ] == []


@pytest.mark.parametrize("command", ["true", "sleep 60"])
def test_what_starts_no_child_is_no_host(command: str) -> None:
    finished = flowcage("conformance", "--host", command, "--timeout", "2" if "sleep" in command else "200")
    assert (finished.status, finished.stdout) == (2, "")
    assert "this is not a flowcage host: it did not start the child" in finished.stderr


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("true", "it closed its stdout instead of answering: exit status 0"),
        ("sleep 60", "no answer within 2 s"),
        ("cat", "it asks initialize, which this client does not answer"),
        ("echo hello", "a line on stdout is not JSON"),
    ],
)
def test_what_does_not_answer_initialize_is_no_service(command: str, told: str) -> None:
    patience = "2" if "sleep" in command else "200"
    finished = flowcage("conformance", "--service", command, "--timeout", patience)
    assert (finished.status, finished.stdout) == (2, "")
    assert "this is not a host of the host protocol: " in finished.stderr
    assert told in finished.stderr


@pytest.mark.parametrize("command", ["true", "sleep 60"])
def test_what_starts_no_host_is_no_client(command: str) -> None:
    patience = "2" if "sleep" in command else "200"
    finished = flowcage("conformance", "--client", command, "--timeout", patience)
    assert (finished.status, finished.stdout) == (2, "")
    assert "this is not a client of the host protocol: it did not start the host" in finished.stderr


@pytest.mark.parametrize(
    "line", ["", "null", '"resolve', '["resolve"]', "[" * 100_000], ids=lambda line: line[:9]
)
def test_a_host_that_says_no_message_is_status_1_and_every_check_is_told(tmp_path: Path, line: str) -> None:
    said = tmp_path / "said"
    said.write_text(f"{line}\n")
    host = f"sh -c '{{child}} < {said} > {tmp_path}/replies'"
    finished = flowcage("conformance", "--host", host, "--only", "host-messages")
    assert (finished.status, finished.stderr) == (1, "")
    assert "FAIL  host-messages/lines-are-json" in finished.stdout
    assert finished.stdout.splitlines()[-1].startswith(
        f"{sum(check.id.startswith('host-messages/') for check in HOST_CHECKS.checks)} checks, "
    )


def test_a_host_may_take_the_child_from_its_environment() -> None:
    host = (
        f"sh -c 'exec {FLOWCAGE} run --quiet --isolation none --child-command $FLOWCAGE_CHILD {{workflow}}'"
    )
    finished = flowcage("conformance", "--host", host, "--only", "host-replies/completes")
    assert finished.status == 0, finished.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give one of --child CMD, --host CMD, --service CMD, --client CMD"),
        (["--child", "a", "--host", "b"], "give one of --child CMD, --host CMD, --service CMD, --client CMD"),
        (["--child", ""], "--child is empty; expected a command: a program and its arguments"),
        (["--child", "'"], "--child: No closing quotation"),
        (["--child", "/no/such/program"], "/no/such/program: No such file or directory"),
        (["--host", "/no/such/program"], "/no/such/program: No such file or directory"),
        (["--child", "true", "--only", "nothing/like-it"], "no check is called nothing/like-it"),
        (["--list", "--only", "nothing/like-it"], "no check is called nothing/like-it"),
        (["--child", "true", "--timeout", "0"], "--timeout"),
    ],
)
def test_bad_usage_is_status_2(words: list[str], told: str) -> None:
    finished = flowcage("conformance", *words)
    assert finished.status == 2
    assert told in finished.stderr


def test_run_takes_another_child(tmp_path: Path) -> None:
    workflow = tmp_path / "w.js"
    workflow.write_text("export default 6 * 7;")
    child = shlex.join(COMMAND)
    assert flowcage("run", workflow, "--child-command", child).json["result"] == 42
    missing = flowcage("run", workflow, "--child-command", "/no/such/child")
    assert missing.status == 125
    assert flowcage("run", workflow, "--child-command", "'").status == 2
