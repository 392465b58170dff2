"""Lines of any form, also damaged ones, are answered with the same bytes with and without the short cut."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcage.protocol import envelope
from flowcage.protocol.limits import Limits

from ..protocol.strategies import json_values
from ..protocol.transcripts import FOLDER, load
from .short_cut_cases import ECHO, NUMBERS, OK, PLACES, TEXTS, TURNS, USUAL_RUNS
from .twins import Twins


class Conversation:
    """Twins that are always in a run with three outstanding requests."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.twins = Twins()
        self.twins.run(ECHO)
        self.lines = 1

    def hear(self, line: bytes) -> None:
        """Say a line in which the requests are "1", "2" and "3"; begin anew where requests have changed."""
        replies = self.twins.hear(line)
        if any("result" in reply or reply["error"]["data"]["kind"] != "unknown_request" for reply in replies):
            self.twins.hear(envelope.request(8, "drain", {}))
        if any("result" in reply for reply in replies) or self.twins.short.short > 1:
            self._begin()


@pytest.mark.parametrize("place", PLACES)
def test_what_stands_in_a_line_is_read_alike(place: str) -> None:
    conversation = Conversation()
    for text in NUMBERS + TEXTS:
        conversation.hear(place.format(text).encode("utf-8", "surrogatepass") + b"\n")


@pytest.mark.parametrize("place", ["args", "budget"])
def test_what_stands_in_a_run_is_read_alike(place: str) -> None:
    source = json.dumps("return [typeof args, Object.is(args, -0), args, budget.total, budget.spent()]")
    for text in NUMBERS + TEXTS:
        text = text if place == "args" else f'{{"total":{text},"spent":0}}'
        line = f'{{"jsonrpc":"2.0","id":7,"method":"run","params":{{"source":{source},"{place}":{text}}}}}\n'
        twins = Twins()
        twins.hear(line.encode("utf-8", "surrogatepass"))
        twins.run("return 'the run that follows'")


DAMAGE = list(b'{}[]",:\\ \t\r\0eE.-+019aduntl/\x80\xff\xc3')


def damaged(line: bytes, rng: random.Random) -> bytes:
    """The line with one to three bytes changed, taken out, put in, or a part of it repeated."""
    data = bytearray(line)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.choice(DAMAGE)
            case 1:
                del data[at]
            case 2:
                data.insert(at, rng.choice(DAMAGE))
            case _:
                data[at:at] = data[at : at + rng.randint(1, 20)]
    return bytes(data)


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_damaged_lines_get_the_same_answer(turn: list[Any]) -> None:
    rng, conversation = random.Random(repr(turn)), Conversation()
    answers = [{"id": identifier, "resolution": resolution} for identifier, resolution in turn]
    line = envelope.request(7, "advance", {"turns": [answers]})
    for _ in range(250):
        # A line that is cut in two, or has lost its newline, leaves no part behind.
        conversation.hear(damaged(line[:-1], rng).replace(b"\n", b" ") + b"\n")


@pytest.mark.parametrize("name", ["a script", "all members", "non-ASCII", "deep args"])
def test_damaged_runs_get_the_same_answer(name: str) -> None:
    rng, line = random.Random(name), envelope.request(7, "run", USUAL_RUNS[name])
    for _ in range(60):
        twins = Twins()
        twins.hear(damaged(line[:-1], rng).replace(b"\n", b" ") + b"\n")
        twins.ask("drain", {})


@settings(max_examples=60, deadline=None)
@given(json_values(), json_values(), st.booleans())
def test_any_value_arrives_alike(value: Any, args: Any, ascii_only: bool) -> None:
    twins = Twins()
    source = f"log(args);{ECHO}"
    for params in (
        {"method": "run", "params": {"source": source, "args": args}},
        {
            "method": "advance",
            "params": {"turns": [[{"id": "1", "resolution": {"type": "ok", "value": value}}]]},
        },
    ):
        text = json.dumps(
            {"jsonrpc": "2.0", "id": 7, **params}, separators=(",", ":"), ensure_ascii=ascii_only
        )
        twins.hear(text.encode("utf-8", "surrogatepass") + b"\n")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.jsonl")), ids=lambda path: path.stem)
@pytest.mark.parametrize("at_once", [1, 2, 99])
def test_the_transcripts_are_answered_alike(path: Path, at_once: int) -> None:
    lines = load(path).said_by("host")
    Twins(fresh=True).hear(*(b"".join(lines[at : at + at_once]) for at in range(0, len(lines), at_once)))


def test_a_line_that_comes_in_parts_or_with_others_is_answered_alike() -> None:
    run = envelope.request(1, "run", {"source": ECHO})
    advance = envelope.request(2, "advance", {"turns": [[{"id": "1", "resolution": OK}]]})
    again = envelope.request(3, "advance", {"turns": [[{"id": "4", "resolution": OK}]]})
    drain = envelope.request(4, "drain", {})
    Twins().hear(run + advance + again + drain)
    Twins().hear(run, advance[:30], advance[30:] + again, drain)
    Twins().hear(run, advance + again[:30], again[30:], drain)
    Twins().hear(run, b" ", advance, again, drain)
    Twins().hear(run, b'{"a":', advance, again, drain)
    Twins().hear(run, advance[:-1], b"\n", again, drain)
    Twins().hear(b"\n", run, b"\n", advance, b"", again)
    twins = Twins(Limits(max_message_bytes=len(run) - 1))
    twins.hear(b"x" * len(run), advance, run, advance)
    assert twins.short.short == 2


def test_messages_that_the_state_forbids_are_refused_alike() -> None:
    twins = Twins(fresh=True)
    twins.run("return 1")
    twins.advance(("1", OK))
    twins.ask("initialize", {"protocolVersion": "1.0", "isolation": "none"})
    twins.advance(("1", OK))
    assert twins.short.short == 0
    twins.run("agent('x'); await new Promise(() => {})")
    twins.run("return 1")
    assert twins.short.short == 1
    twins.ask("shutdown", {})


def test_a_check_before_a_run_changes_nothing() -> None:
    twins = Twins()
    twins.ask("check", {"source": "return 1"})
    twins.run("return 1")
    assert twins.short.short == 1


def test_requests_that_are_settled_in_another_way_are_known_alike() -> None:
    twins = Twins()
    twins.run(ECHO)
    twins.ask("resolve", {"id": "2", "resolution": OK})
    twins.advance(("2", OK))
    twins.advance(("1", OK))
    for method in ("poll", "poll", "take", "drain"):
        twins.ask(method, {})
    twins.advance(("5", OK), ("4", OK))
    twins.ask("advance", {"turns": [[{"id": "3", "resolution": OK}], [{"id": "8", "resolution": OK}]]})
    assert twins.short.short == 3
