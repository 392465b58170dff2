"""FLOWCAGE_CHECK_MESSAGES=1: a message on which decoder and schema differ ends the run."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowcage.host.process import codec
from flowcage.protocol import decode
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import Poll, UnknownRequest

RESOLUTION = {"type": "ok", "value": 1}
GOOD: dict[str, tuple[str, Any]] = {
    "message": ("resolve", {"id": "1", "resolution": RESOLUTION}),
    "result": ("check", {"dialect": "module", "meta": None}),
}
BAD: dict[str, tuple[str, Any]] = {
    "message": ("resolve", {"id": 1, "resolution": RESOLUTION}),
    "result": ("check", {"dialect": "script?", "meta": None}),
}
PLACES = {"message": "/id", "result": "/dialect"}
both = pytest.mark.parametrize("part", ["message", "result"])


def takes_all(_method: str, _value: Any) -> Any:
    """A decoder that has forgotten its rules."""
    return Poll()


def refusing(path: str) -> Callable[[str, Any], Any]:
    """One that finds this place wrong, whatever it reads."""

    def refuse(_method: str, _value: Any) -> Any:
        raise ErrorReply("invalid_params", "no", {"path": path, "message": "no", "schema": "s"})

    return refuse


@both
def test_what_both_allow_is_read_and_what_both_refuse_is_refused(part: str) -> None:
    read = getattr(codec, part)
    assert read(*GOOD[part]) == getattr(decode, part)(*GOOD[part])
    with pytest.raises(ErrorReply) as caught:
        read(*BAD[part])
    assert caught.value.data["path"] == PLACES[part]


@both
def test_what_only_the_decoder_allows_is_told(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(decode, part, takes_all)
    told = f"the decoder allows it, the published schema refuses it at {PLACES[part]}"
    with pytest.raises(codec.SchemaDisagrees, match=told):
        getattr(codec, part)(*BAD[part])


@both
def test_what_only_the_schema_allows_is_told(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(decode, part, refusing("/x"))
    told = "the decoder refuses it at /x, the published schema allows it"
    with pytest.raises(codec.SchemaDisagrees, match=told):
        getattr(codec, part)(*GOOD[part])


@both
def test_what_both_refuse_elsewhere_is_told(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(decode, part, refusing(""))
    told = f"the decoder refuses it at its top, the published schema refuses it at {PLACES[part]}"
    with pytest.raises(codec.SchemaDisagrees, match=told):
        getattr(codec, part)(*BAD[part])


@both
def test_without_the_switch_the_decoder_alone_is_asked(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(codec, "CHECKS_MESSAGES", False)
    monkeypatch.setattr(decode, part, takes_all)
    assert getattr(codec, part)(*BAD[part]) == Poll()


def test_a_request_of_a_later_version_is_read_although_the_schema_does_not_know_it() -> None:
    later = {"type": "fetch", "id": "1", "url": "x"}
    drained = {"calls": [], "requests": [later], "state": "pending"}
    assert codec.result("drain", drained).requests == [UnknownRequest("1", "fetch")]
    with pytest.raises(ErrorReply):
        codec.result("drain", {**drained, "requests": [later, {"type": "agent", "id": "2"}]})


# A host whose decoder does not look at diagnostics, and the child that it is given.
FORGETFUL_HOST = """
import sys
from flowcage.protocol import decode
drained = decode.drained
decode.drained = lambda result, *method: drained({**result, "diagnostics": []}, *method)
from flowcage.host.cli.entry import main
main()
"""
CHILD = """
import json, sys
from flowcage.conformance.fake_child import Model
model = Model()
model.outstanding.clear()
model.queued.clear()
for line in sys.stdin:
    message = json.loads(line)
    reply = model.answer(message["method"], {})
    if message["method"] in ("drain", "run"):
        reply["result"]["diagnostics"] = [5]
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **reply}), flush=True)
"""


@pytest.mark.parametrize(("switch", "status"), [("", 0), ("0", 0), ("1", 125)])
def test_a_run_of_a_host_that_was_told_so_ends_with_it(tmp_path: Path, switch: str, status: int) -> None:
    workflow = tmp_path / "w.js"
    workflow.write_text("export default 1;")
    child = shlex.join((sys.executable, "-I", "-c", CHILD))
    words = ("run", "--quiet", "--isolation", "none", "--child-command", child, str(workflow))
    done = subprocess.run(
        (sys.executable, "-I", "-c", FORGETFUL_HOST, *words),
        env={**os.environ, "FLOWCAGE_CHECK_MESSAGES": switch},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == status, done.stderr
    if switch == "1":
        assert "the published schema refuses it at /diagnostics/0" in done.stderr
    else:
        assert json.loads(done.stdout)["result"]
