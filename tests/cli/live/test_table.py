"""The table at the widths and heights of terminals, with texts of anybody's."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len

from flowcage.host.cli.live.drawing import draw, fit, plain
from flowcage.host.cli.live.palette import frame_of
from flowcage.host.cli.live.rows import rows
from flowcage.host.events import records
from flowcage.host.events.records import Event

from .events import answered, asked, board_of, child, child_ended, failed, phase, queued, started, table, word

BUSY = [
    started(),
    phase(0, "Plan"),
    *(queued(0, "1", "plan", "Plan"), asked(0, "1", "plan", "Plan", model="opus")),
    answered(4, "1", 2100, 0.031),
    phase(4, "Review"),
    *(queued(4, str(number), f"reviewer {number} 你好", "Review") for number in range(2, 20)),
    *(asked(5, str(number), f"reviewer {number} 你好", "Review", model="sonnet") for number in range(2, 12)),
    word(6, "3", "reads host/cli/main.py and all of the files beside it, one after the other", 1020, 0.2),
    failed(7, "2"),
    *(child(7, "k", "kid.js"), phase(7, "Kid", "k"), queued(7, "1", "x", "Kid", "k"), child_ended(8, "k")),
    *(child(8, "l", "kid.js"), phase(8, "Kid", "l"), queued(8, "1", "x", "Kid", "l")),
    asked(9, "1", "x", "Kid", "l"),
    records.Sleeping("r", 9, "90", 90_000),
    records.QuestionAsked("r", 9, "91", "91", "ship it?"),
]  # fmt: skip


def shown(events: list[Event], width: int, height: int) -> list[str]:
    return table(events, 12.0, width=width, room=height)


AT = (Path(__file__).parent / "table.txt").read_text().removeprefix("== ").split("\n== ")


@pytest.mark.parametrize("case", AT)
def test_a_busy_run_at_a_width_and_a_height(case: str) -> None:
    size, *lines = case.removesuffix("\n").split("\n")
    width, height = map(int, size.split(" x "))
    assert shown(BUSY, width, height) == lines


def hostile(choice: random.Random) -> str:
    """Escapes, bidirectional and zero-width characters, emoji, combining marks, halves of pairs, newlines."""
    alphabet = (
        "ab \t\n\r\x00\x07\x1b[2J\x9b\u202e\u2066\u200b\u200d\ufe0f你👩\u0301\u0651ש\ud800\U000e0041\u2028"
    )
    return "".join(choice.choice(alphabet) for _ in range(choice.choice((0, 3, 30, 400))))


def hostile_run(seed: int) -> list[Event]:
    choice = random.Random(seed)
    made: list[Event] = [started(0, hostile(choice))]
    for number in range(40):
        title, call = hostile(choice), str(number)
        made += [
            phase(0, title),
            queued(0, call, hostile(choice), title),
            asked(1, call, hostile(choice), title),
        ]
        made.append(word(2, call, hostile(choice)))
        made.append(records.QuestionAsked("r", 2, f"q{number}", hostile(choice), hostile(choice)))
    return made


STEERS = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}  # and Cf, of which the joiners are harmless


@pytest.mark.parametrize("width", [1, 2, 7, *range(10, 40, 7), 40, 61, 80, 133, 200])
@pytest.mark.parametrize("seed", range(4))
def test_a_line_is_less_wide_than_the_terminal_and_steers_nothing(seed: int, width: int) -> None:
    board = board_of(hostile_run(seed))
    for room in (2, 5, 24, 200):
        lines = draw(rows(board, 3.0, room), width)
        assert 2 <= len(lines) <= room
        for line in lines:
            text = plain(line)
            assert line.width <= max(1, width - 1)
            assert cell_len(text) <= max(1, width - 1)
            assert not {unicodedata.category(each) for each in text} & STEERS
            assert not {"\u202e", "\u2066", "\u200b", "\U000e0041"} & set(text)
            # Zero-width marks may be piled up on one place, which would make a frame of any size.
            assert len(text) <= 8 * width + 80


def test_a_frame_without_colour_has_no_escapes_where_it_is_ascii() -> None:
    events = [started(), phase(0, "One"), queued(0, "1", "a", "One"), asked(0, "1", "a", "One")]
    lines = draw(rows(board_of(events), 1.0, 9), 80)
    assert b"\x1b" not in b"".join(frame_of(lines, colour=False).rows)
    assert b"\x1b[36m1 at work\x1b[0m" in b"".join(frame_of(lines, colour=True).rows)


def test_a_row_with_other_characters_says_where_its_columns_begin() -> None:
    """A terminal that takes another width for true than we do has them below each other all the same."""
    events = [
        started(),
        queued(0, "1"),
        asked(0, "1", "👩\u200d👩\u200d👧"),
        queued(0, "2"),
        asked(0, "2", "abc"),
    ]
    lines = draw(rows(board_of(events), 1.0, 9), 80)
    odd, even = frame_of(lines, colour=False).rows[2:]
    clock = next(part.column for part in lines[2].parts if part.text == "0:01")
    assert f"\x1b[{clock + 1}G0:01".encode() in odd
    assert even.index(b"0:01") == clock


def test_five_hundred_agents_take_the_rows_that_there_are() -> None:
    events = [started(), phase(0, "One")]
    for number in range(500):
        events += [queued(0, str(number), f"a{number}", "One"), asked(0, str(number), f"a{number}", "One")]
    lines = shown(events, 80, 15)
    assert len(lines) == 15
    assert lines[0].split() == ["review.js", "0/500", "0:12", "running,", "500", "at", "work"]
    assert lines[2].split() == ["a0", "0:12"]
    assert lines[-1] == "    … 488 more"


def test_what_is_done_gives_way_to_what_goes_on() -> None:
    events = [started()]
    for number in range(100):
        title, call = f"P{number}", str(number)
        events += [phase(number, title), queued(number, call, "a", title), asked(number, call, "a", title)]
        events += [answered(number, call)] if number != 7 else []
    lines = table(events, 200.0, room=6)
    assert [line.split()[0] for line in lines] == ["review.js", "…", "P7", "a", "P98", "P99"]
    assert lines[1] == "  … 97 more"


@pytest.mark.parametrize(
    ("text", "width", "fitted"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("a  b\n c\t", 9, "a b c"),
        ("你好", 4, "你好"),
        ("你好吗", 4, "你…"),
        ("你好吗", 5, "你好…"),
        ("a\u0301bc", 3, "a\u0301bc"),
        ("a" + "\u0301" * 100, 3, "a" + "\u0301" * 13 + "…"),
        ("", 3, ""),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("\x1b[31mred", 20, "�[31mred"),
    ],
)
def test_a_text_is_cut_to_cells(text: str, width: int, fitted: str) -> None:
    assert fit(text, width) == fitted
    assert cell_len(fitted) <= max(width, 0)
