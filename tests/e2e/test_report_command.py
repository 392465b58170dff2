"""``flowcage report``: of runs in any state, to any output."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import kept
from .command import DEADLINE, FLOWCAGE, Finished, flowcage
from .kept import on
from .test_looking_at_runs import Run

SOURCE = """export const meta = {name: 'told', phases: [{title: 'One', detail: 'the first'}]};
phase('One');
log('\\u202e<script>');
return agent('prompt <b>', {label: 'a|b'})
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """With one run that has completed."""
    (tmp_path / "w.js").write_text(SOURCE)
    done = on(tmp_path / "runs.db", "run", tmp_path / "w.js", "--agent", "mock")
    assert done.status == 0, done.stderr
    return tmp_path / "runs.db"


def report(store: Path, *words: str | Path, cwd: Path | None = None) -> Finished:
    return flowcage("report", *words, "--store", store, cwd=cwd)


# ---- formats ---------------------------------------------------------------------------------


def test_each_format_is_written_to_stdout_and_by_the_ending_of_a_file(store: Path, tmp_path: Path) -> None:
    endings = {
        "html": ("html", "htm"),
        "md": ("md", "markdown"),
        "json": ("json",),
        "perfetto": ("perfetto.json",),
        "otlp": ("otlp.json",),
    }
    begins = {"html": "<!doctype html>", "md": "## `told`: completed", "json": '{"page":1'}
    for form, names in endings.items():
        told = report(store, "@last", "--format", form)
        assert (told.status, told.stderr) == (0, "")
        assert told.stdout.startswith(begins.get(form, '{"'))
        for ending in names:
            file = tmp_path / f"report.{ending}"
            written = report(store, "@last", "-o", file)
            assert (written.status, written.stdout, written.stderr) == (0, f"{file}\n", "")
            assert kind_of(file) == form


def kind_of(file: Path) -> str:
    text = file.read_text()
    if text.startswith("<!doctype html>"):
        return "html"
    if text.startswith("## "):
        return "md"
    names = {"page": "json", "traceEvents": "perfetto", "resourceSpans": "otlp"}
    (found,) = [form for name, form in names.items() if name in json.loads(text)]
    return found


def test_a_document_has_what_the_source_says_of_itself(store: Path) -> None:
    document = report(store, "@last", "--format", "json").json

    assert document["run"]["name"] == "told"
    assert document["run"]["phases"] == [{"title": "One", "detail": "the first"}]
    (root,) = document["workflows"]
    assert root["source"] == SOURCE
    assert [(each["kind"], each["line"], each["label"]) for each in root["outline"]["calls"]] == [
        ("agent", 4, "a|b")
    ]
    assert [each["text"] for each in document["logs"]] == ["\u202e<script>"]


def test_hostile_texts_are_no_markup_in_a_page_and_in_markdown(store: Path) -> None:
    page = report(store, "@last", "--full").stdout
    assert "prompt" in page
    assert "prompt <b>" not in page
    markdown = report(store, "@last", "--format", "md").stdout
    assert "| `a¦b` |" in markdown
    assert "\u202e" not in markdown


def test_only_a_full_report_has_all_of_a_long_prompt(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("return agent('p'.repeat(1_000_000))")
    store = tmp_path / "runs.db"
    on(store, "run", tmp_path / "w.js", "--agent", "mock")

    cut = report(store, "@last", "--format", "json").json["calls"][0]
    assert cut["cut"]["prompt"] == 1_000_000
    assert len(cut["prompt"]) < 20_000
    whole = report(store, "@last", "--format", "json", "--full").json["calls"][0]
    assert "cut" not in whole
    assert len(whole["prompt"]) == 1_000_000
    assert "p" * 1_000_000 in report(store, "@last", "--format", "md", "--full").stdout


def test_50_000_lines_of_a_log_are_cut_unless_all_is_asked_for(tmp_path: Path) -> None:
    loop = "for (let n = 0; n < 50000; n++) { if (n % 5000 == 0) await agent('x'); log(n) }"
    (tmp_path / "w.js").write_text(loop)
    store = tmp_path / "runs.db"
    on(store, "run", tmp_path / "w.js", "--agent", "mock", "--quiet")

    document = report(store, "@last", "--format", "json").json
    assert (len(document["logs"]), document["left"]["logs"]) == (10_000, 40_000)
    full = report(store, "@last", "--format", "json", "--full").json
    assert (len(full["logs"]), full["left"]["logs"]) == (50_000, 0)
    markdown = report(store, "@last", "--format", "md").stdout
    assert "(the last 20 of 50,000 lines)" in markdown


# ---- which run -------------------------------------------------------------------------------


def test_a_run_that_goes_on_is_told_as_it_stands_with_the_line_where_it_waits(run: Run) -> None:
    told = report(run.store, "@last", "--format", "json")

    document = told.json
    run_id = document["run"]["id"]
    assert told.stderr == f"flowcage: run {run_id} is running: the report tells how it stands\n"
    assert (document["run"]["state"], document["run"]["verdict"]) == ("running", None)
    (waits,) = [each for each in document["calls"] if each["state"] == "open"]
    assert (waits["prompt"], waits["line"], waits["column"]) == ("wait", 7, 7)
    assert "the run goes on" in report(run.store, run_id[:-3], "--format", "md").stdout

    run.kill()
    left = report(run.store, "@last", "--format", "md")
    assert "flowcage resume" in left.stderr
    assert "the process that had the run is gone" in left.stdout


def test_a_file_of_events_is_reported_without_a_store(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(SOURCE)
    events = tmp_path / "e.jsonl"
    words = ("--agent", "mock", "--no-store", "--events", events, "--quiet")
    assert flowcage("run", tmp_path / "w.js", *words).status == 0

    told = flowcage("report", events, "--format", "json")

    assert (told.status, told.stderr) == (0, "")
    assert told.json["run"]["verdict"] == "completed"
    assert told.json["calls"][0]["prompt"] == "prompt <b>"
    events.write_bytes(events.read_bytes()[:-20])
    cut = flowcage("report", events, "--format", "json")
    assert cut.status == 0
    assert "lines that are left out: 1; line " in cut.stderr
    assert "has no end of the run" in cut.stderr


@pytest.mark.parametrize("content", [b"", b"nothing", b"{}\n", b"\x00\xff"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "e.jsonl").write_bytes(content)

    told = flowcage("report", tmp_path / "e.jsonl")

    assert told.status == 2
    assert "is no file of flowcage run --events" in told.stderr


def test_an_unknown_run_and_a_damaged_store_are_refused(store: Path) -> None:
    assert report(store, "nothing").status == 2
    assert "has no run 'nothing'" in report(store, "nothing").stderr
    database = sqlite3.connect(store)
    database.execute("UPDATE entries SET data = x'00'")
    database.commit()
    database.close()
    damaged = report(store, "@last")
    assert (damaged.status, damaged.stdout) == (2, "")
    assert "entry 0" in damaged.stderr


def test_a_file_that_is_not_there_is_told_as_a_file(tmp_path: Path) -> None:
    for name in ("none.jsonl", "./none"):
        told = flowcage("report", name, cwd=tmp_path)
        assert (told.status, told.stderr) == (
            2,
            f"flowcage: there is no file {name}, and no run has such an id\n",
        )


# ---- where to --------------------------------------------------------------------------------


def test_a_file_is_its_owners_and_takes_the_place_of_an_old_one(store: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "old.md", tmp_path / "link.md"
    target.write_text("old")
    target.chmod(0o644)
    link.symlink_to(target)
    before = target.stat().st_ino

    assert report(store, "@last", "-o", link).status == 0

    assert link.is_symlink()
    assert target.read_text().startswith("## ")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.stat().st_ino != before  # whoever had it open goes on reading the old one
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".old")] == []


def test_what_the_report_is_made_from_is_not_overwritten(store: Path) -> None:
    before = store.read_bytes()
    refused = report(store, "@last", "-o", store)
    assert refused.status == 2
    assert "would be overwritten" in refused.stderr
    assert store.read_bytes() == before


@pytest.mark.parametrize(("target", "why"), [("", "is a folder"), ("none/x.md", "cannot be written")])
def test_an_output_that_cannot_be_is_a_usage_error(
    store: Path, tmp_path: Path, target: str, why: str
) -> None:
    told = report(store, "@last", "-o", tmp_path / target)

    assert told.status == 2
    assert why in told.stderr


def test_a_named_pipe_is_written_to(store: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()

    assert report(store, "@last", "-o", pipe, "--format", "md").status == 0

    reader.join(DEADLINE)
    assert read[0].startswith("## ")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_reader_that_has_seen_enough_is_no_fault(store: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [FLOWCAGE, "report", "@last", "--store", store, "--format", "md"],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=DEADLINE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_no_usage_error(store: Path) -> None:
    told = report(store, "@last", "-o", "/dev/full")

    assert told.status == 125
    assert "No space left" in told.stderr


def test_on_a_terminal_a_file_is_named_after_the_run(store: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    done = subprocess.run(
        [FLOWCAGE, "report", "@last", "--store", store],
        stdout=slave,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        timeout=DEADLINE,
        check=False,
    )
    os.close(slave)
    printed = os.read(master, 4096).decode().strip()
    os.close(master)

    run_id = kept.ids(store)[0]
    assert (done.returncode, printed) == (0, f"flowcage-{run_id}.html")
    assert (tmp_path / printed).read_text().startswith("<!doctype html>")


def test_open_shows_the_file_in_a_browser(store: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)

    told = flowcage(
        "report", "@last", "--store", store, "--open", cwd=tmp_path, env={"BROWSER": f"{browser} %s"}
    )

    run_id = kept.ids(store)[0]
    file = tmp_path / f"flowcage-{run_id}.html"
    assert (told.status, told.stdout) == (0, f"{file.name}\n")
    assert (tmp_path / "opened").read_text().strip() == file.as_uri()
    refused = report(store, "@last", "--open", "--format", "md")
    assert (refused.status, refused.stdout) == (2, "")
