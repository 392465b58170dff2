"""Lines of a log: JSON and text, whatever the record holds, and records that come too often."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from flowcage.host.terminal.log import Sparingly, name_of, reason_of
from flowcage.host.terminal.log_format import JsonFormatter, TextFormatter

HOSTILE = "\x1b[31m\u202e\ud800\x9b2J\nflowcage: run x ended"


class Sly:
    """What nobody can make text of."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def record(message: str = "run %s ended", args: Any = ("r-1",), **extra: Any) -> logging.LogRecord:
    logger = logging.getLogger("flowcage.run")
    return logger.makeRecord(logger.name, logging.WARNING, "f.py", 1, message, args, None, extra=extra)


def test_a_record_as_json_has_its_fields_beside_the_message() -> None:
    line = JsonFormatter().format(record(run_id="r-1", seconds=1.5, cost_usd=None, resumed=False))
    told = json.loads(line)
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "warning",
        "logger": "flowcage.run",
        "message": "run r-1 ended",
        "run_id": "r-1",
        "seconds": 1.5,
        "cost_usd": None,
        "resumed": False,
    }


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ({"a": 1}, "{'a': 1}"),
        (Sly(), "a Sly, which has no text"),
        ("x" * 10_000, "x" * 3_999 + "…"),
    ],
)
def test_a_field_that_is_no_json_is_told_as_text(value: Any, told: str) -> None:
    assert json.loads(JsonFormatter().format(record(field=value)))["field"] == told


@pytest.mark.parametrize("form", [JsonFormatter(), TextFormatter()])
def test_a_record_is_one_line_that_steers_no_terminal(form: logging.Formatter) -> None:
    line = form.format(record(args=(HOSTILE,), tenant=HOSTILE))
    assert not {"\x1b", "\u202e", "\ud800", "\x9b", "\n"} & set(line)
    line.encode()


def test_a_field_cannot_take_the_place_of_what_every_record_has() -> None:
    assert json.loads(JsonFormatter().format(record(level="debug", logger="root")))["level"] == "warning"


@pytest.mark.parametrize("form", [JsonFormatter(), TextFormatter()])
def test_a_message_whose_arguments_do_not_fit_is_told_without_them(form: logging.Formatter) -> None:
    assert "run %s ended" in form.format(record(args=("r-1", "r-2")))


def test_a_name_is_one_short_line() -> None:
    assert name_of("a\nb" + "c" * 1_000) == "a b" + "c" * 196 + "…"
    assert reason_of("first\nsecond") == "first"


def test_what_comes_too_often_is_counted_in_the_next_record() -> None:
    now = [0.0]
    sparingly = Sparingly(60.0, lambda: now[0])
    assert [sparingly.may_tell("a") for _ in range(3)] == [0, None, None]
    assert sparingly.may_tell("b") == 0
    now[0] = 60.0
    assert [sparingly.may_tell("a"), sparingly.may_tell("a")] == [2, None]


def test_a_record_of_a_program_that_ends_at_once_is_written() -> None:
    program = """
import logging
from flowcage.host.terminal.log_format import log_to_stderr
log_to_stderr("json")
logging.getLogger("flowcage.run").info("one")
logging.getLogger("flowcage.run").debug("two")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=300, check=True)
    assert [json.loads(line)["message"] for line in done.stderr.splitlines()] == ["one"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_record_that_cannot_be_formatted_is_told_in_the_form_of_the_others(form: str) -> None:
    program = f"""
import logging
from flowcage.host.terminal.log_format import log_to_stderr
log_to_stderr({form!r}).formatter.format = lambda record: 1 / 0
logging.getLogger("flowcage.run").info("one")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=300, check=True)
    (line,) = done.stderr.decode().splitlines()
    told = json.loads(line)["message"] if form == "json" else line.removeprefix("flowcage: warning: ")
    assert told == "a log record of flowcage.run could not be written"


def test_without_a_handler_nothing_is_written() -> None:
    program = """
from flowcage.host.terminal.log import logger
logger("run").error("one")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=300, check=True)
    assert done.stderr == b""
