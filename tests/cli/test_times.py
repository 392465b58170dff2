"""Lengths of time as they are typed."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from flowcage.host.cli.console import Seconds
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.runs.times import Length, in_unit_of, seconds_of
from flowcage.host.cli.setup.settings_file import read_settings

LENGTHS = {
    "90s": 90, "2h": 7200, "1h30m": 5400, "1.5h": 5400, "2d12h": 216_000, "1w": 604_800, "500ms": 0.5,
    "1m500ms": 60.5, " 5m ": 300, "1.1h": 3960, "1w1d1h1m1s1ms": 694_861.001, "0s": 0,
}  # fmt: skip
NONE = ["", " ", "90", "h", "30m1h", "1h1h", "-5s", "1h 30m", "1H", "5 s", "1.h", "1h30", "٣s", "5min",
        "1e3s", "9999999999s"]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), LENGTHS.items())
def test_a_length(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", NONE)
def test_no_length(text: str) -> None:
    assert seconds_of(text) is None


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("0.5", 0.5), ("1e3", 1000), ("1h30m", 5400)])
def test_an_option_takes_seconds_and_lengths(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("soon", "'soon' is no length of time; write seconds, or 90s, 1h30m, 2d"),
        ("30m1h", "'30m1h' is no length of time"),
        ("0", "is not in the range"),
        ("0s", "is not in the range"),
        ("-1", "is not in the range"),
        ("nan", "is not a finite number"),
        ("inf", "is not a finite number"),
    ],
)
def test_an_option_refuses_others(text: str, told: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        Seconds().convert(text, None, None)
    assert told in refused.value.message


def test_a_length_that_needs_a_unit_is_refused_without_one() -> None:
    assert Length().convert("1d12h", None, None) == 129_600
    with pytest.raises(click.BadParameter, match="write numbers with s, m, h, d or w"):
        Length().convert("30", None, None)


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("cpuSeconds", "2m", "120"),
        ("cpu_seconds", "2m", "120"),
        ("maxSleepMs", "1h", "3600000"),
        ("stepTimeoutMs", "1.5s", "1500"),
        ("max_sleep_ms", "2ms", "2"),
        ("timeoutSeconds", "500ms", "0.5"),
        ("cpuSeconds", "100", "100"),
        ("memoryBytes", "2m", "2m"),
        ("maxAgents", "2h", "2h"),
    ],
)
def test_a_limit_of_time_takes_a_length_in_its_own_unit(name: str, text: str, number: str) -> None:
    assert in_unit_of(name, text) == number


def test_settings_take_seconds_and_lengths(tmp_path: Path) -> None:
    file = tmp_path / "flowcage.toml"
    file.write_text('[agents.claude]\ntimeout = "1h30m"\nidle_timeout = 90\n')
    assert read_settings(file, follows_links=True).agents["claude"] == {"timeout": 5400, "idle_timeout": 90}


@pytest.mark.parametrize("value", ['"soon"', "0", '"0s"', "true", '"90"', "-1"])
def test_settings_refuse_other_lengths(tmp_path: Path, value: str) -> None:
    file = tmp_path / "flowcage.toml"
    file.write_text(f"[agents.claude]\ntimeout = {value}\n")
    with pytest.raises(
        InputError, match=r'agents\.claude\.timeout: expected seconds above 0, or a length such as "30m"'
    ):
        read_settings(file, follows_links=True)
