"""``docs/host.md`` is true: its examples print what it says, and its tables list what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from flowcage.host.events.records import EVENT_TYPES, Event
from flowcage.host.outcome.quota import Quota
from flowcage.protocol.limits import camel_case

PAGE = (Path(__file__).parents[2] / "docs" / "host.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```\n```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_every_example_says_what_it_prints() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") >= 7


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_prints_what_the_page_says(number: int) -> None:
    program, expected = EXAMPLES[number]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", expected)


def test_the_table_of_events_lists_every_type_with_its_members() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    listed = {name: re.findall(r"\w+", members) for name, members in rows}
    common = {field.name for field in fields(Event)}
    assert listed == {
        name: [camel_case(field.name) for field in fields(kind) if field.name not in common]
        for kind, name in EVENT_TYPES.items()
    }


def test_the_table_of_quotas_lists_all_of_them() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^`]*\|$", PAGE, re.MULTILINE)
    assert rows == [quota.value for quota in Quota]
