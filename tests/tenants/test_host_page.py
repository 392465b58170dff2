"""``docs/host.md`` is true: its examples print what it says, and its tables list what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flowcage.host.outcome.quota import Quota

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


def test_the_table_of_quotas_lists_all_of_them() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^`]*\|$", PAGE, re.MULTILINE)
    assert rows == [quota.value for quota in Quota]
