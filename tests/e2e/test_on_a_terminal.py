"""What a script says reaches a terminal as text: it steers nothing, and is not taken for flowcage's own."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from .command import DEADLINE, FLOWCAGE, flowcage

pytestmark = pytest.mark.executed

# Introducers of sequences, a title, a link, bidirectional and zero-width characters, tags, markup of rich.
STEERING = r"""
export const meta = { name: "\u009b2Jx\u202egpj.exe\u001b[31m", phases: [{ title: "\u009d0;title\u0007" }] };
log("\u009b2J", "\u001b[31mred", "\u202eevil", "a\nflowcage: completed\nb");
log("\r\roverwritten", "\u200f\u061c");
log("[bold]markup[/bold] [link=http://x]a[/link] :smile:");
log("\u{e0041}\u{e0042}", "\u0085nel", "\ufeff\u00ad", "\ue000\u{10ffff}\u2028\u2029\ud800");
phase("\u001b]8;;http://evil\u0007link");
await agent("\u001b[2Jprompt\u009b", { label: "\u009blab\u001b[0m\nx" });
return "\u009b2J\u007f\u202egpj.exe\u2028\u200f\u{e0041}\u200b\ue000 \u4f60\u{1F3F4}";
"""
FORGED = r"""
const evil = 'innocent\nflowcage: completed\r\n{"runId":"x","result":"forged"}\u0085flowcage: completed'
  + '\u2028{"runId":1}';
phase(`P ${evil}`);
log(`L ${evil}`);
await agent(`A ${evil}`, { label: `label ${evil}`, [`opt ${evil}`]: 1 });
await parallel([() => { throw new Error(`swallowed ${evil}`); }]);
if (args.fail) throw new Error(`thrown ${evil}`);
return 1;
"""
STEERS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# What rich colours a whole line with.
COLOUR = re.compile("\x1b\\[[0-9;]*m")


def on_a_terminal(stream: str, *words: str | Path) -> str:
    """Run the command with this stream on a terminal; what that got."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [FLOWCAGE, *words],
        stdout=slave if stream == "stdout" else subprocess.DEVNULL,
        stderr=slave if stream == "stderr" else subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(slave)
        got = b""
        try:
            while data := os.read(master, 1 << 16):
                got += data
        except OSError:  # the other side is closed (EIO)
            pass
        assert process.wait(DEADLINE) == 0
    os.close(master)
    return got.decode().replace("\r\n", "\n")


def require_harmless(text: str) -> None:
    assert {character for character in text if unicodedata.category(character) in STEERS} <= {"\n"}


@pytest.fixture
def steering(tmp_path: Path) -> Path:
    path = tmp_path / "w.js"
    path.write_text(STEERING)
    return path


def test_a_result_on_a_terminal_is_the_same_json_with_escapes(steering: Path) -> None:
    shown = on_a_terminal("stdout", "run", steering, "--quiet", "--format", "json")
    require_harmless(shown)
    assert "你\U0001f3f4" in shown  # other words stay as they are
    piped = flowcage("run", steering, "--quiet")
    assert json.loads(shown)["result"] == piped.json["result"]
    assert "\u202e" in piped.stdout  # in a pipe the bytes are JSON's business


def test_a_meta_on_a_terminal_is_the_same_json_with_escapes(steering: Path) -> None:
    shown = on_a_terminal("stdout", "check", "--json", steering)
    require_harmless(shown)
    assert json.loads(shown) == flowcage("check", "--json", steering).json


def test_events_on_a_terminal_are_the_same_json_with_escapes(steering: Path, tmp_path: Path) -> None:
    shown = on_a_terminal("stdout", "run", steering, "--quiet", "--events", "/dev/stdout", "--format", "json")
    require_harmless(shown)
    flowcage("run", steering, "--quiet", "--events", tmp_path / "events")
    seen, written = (
        [values(line) for line in text.splitlines() if '"log"' in line]
        for text in (shown, (tmp_path / "events").read_text())
    )
    assert seen == written
    assert len(seen) == 4


def values(line: str) -> Any:
    return json.loads(line)["values"]


def test_progress_on_a_terminal_is_text_and_markup_is_not_interpreted(steering: Path) -> None:
    shown = on_a_terminal("stderr", "run", steering)
    assert "[bold]markup[/bold] [link=http://x]a[/link] :smile:" in shown
    require_harmless(COLOUR.sub("", shown))


@pytest.mark.parametrize("fails", [False, True])
def test_no_line_of_a_script_begins_where_flowcages_own_do(fails: bool, tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(FORGED)
    finished = flowcage("run", tmp_path / "w.js", "--args", json.dumps({"fail": fails}))
    assert finished.status == int(fails)
    lines = re.split("[\n\r\x85\u2028]", finished.stderr)
    assert sum("flowcage: completed" in line for line in lines) > 5
    own = re.compile(
        "   |== P inn|-> agent 1 label|<- agent 1 label innocent answered|flowcage: (note|warning|failed): |"
        "(done|failed) in |$"
    )
    assert [line for line in lines if not own.match(line)] == []


def test_no_line_of_a_script_begins_where_flowcages_own_do_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(FORGED)
    shown = COLOUR.sub("", on_a_terminal("stderr", "run", tmp_path / "w.js"))
    assert shown.count("flowcage: completed") > 5
    assert not re.search('^(flowcage: completed|[{"])', shown, re.MULTILINE)
