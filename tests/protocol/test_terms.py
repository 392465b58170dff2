"""What a server lets its peers ask for: agreed on in one place, and told of in a note that may be a lie."""

from __future__ import annotations

from itertools import product

import pytest

from flowcage.protocol.limits import FIELD_NAMES, MAX_LIMIT, MIB, Limits
from flowcage.protocol.messages import ISOLATIONS, Isolation
from flowcage.protocol.terms import Note, Terms, ceilings, parse_note, parse_terms

USUAL = ceilings({})
# Strongest first.
ORDER: tuple[Isolation, ...] = ("strict", "best_effort", "none")


def test_every_limit_has_a_ceiling_by_default() -> None:
    assert all(0 < value <= MAX_LIMIT for value in USUAL)
    assert USUAL._replace(address_space_bytes=0) == Limits()
    assert USUAL.address_space_bytes > USUAL.memory_bytes


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_what_is_asked_for_beyond_a_ceiling_is_lowered_and_noted_by_name(name: str) -> None:
    terms, field = Terms("strict", USUAL), FIELD_NAMES[name]
    ceiling = getattr(USUAL, field)
    asked = Limits()._replace(**{field: ceiling + 1})
    assert getattr(terms.agree(asked, None).limits, field) == ceiling
    assert terms.note(asked, None) == Note(None, {name: ceiling + 1})


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_what_is_asked_for_below_a_ceiling_is_had(name: str) -> None:
    terms, field = Terms("strict", USUAL), FIELD_NAMES[name]
    asked = Limits()._replace(**{field: getattr(USUAL, field) - 1})
    assert terms.agree(asked, None).limits == asked
    assert terms.note(asked, None) == Note()


def test_a_limit_that_was_left_out_is_lowered_without_a_note() -> None:
    terms = Terms("strict", ceilings({"cpuSeconds": 5}))
    assert terms.agree(Limits(), None).limits.cpu_seconds == 5
    assert terms.note(Limits(), None) == Note()


@pytest.mark.parametrize(("asked", "least"), list(product(ORDER, ORDER)))
def test_an_isolation_is_never_weaker_than_the_servers_nor_than_asked_for(
    asked: Isolation, least: Isolation
) -> None:
    terms = Terms(least, USUAL)
    got = terms.agree(Limits(), asked).isolation
    assert ORDER.index(got) == min(ORDER.index(asked), ORDER.index(least))
    assert terms.note(Limits(), asked).isolation == (None if got == asked else asked)


@pytest.mark.parametrize("least", ORDER)
def test_an_isolation_that_was_left_out_is_strict(least: Isolation) -> None:
    assert Terms(least, USUAL).agree(Limits(), None).isolation == "strict"
    assert set(ORDER) == set(ISOLATIONS)


def test_address_space_follows_the_heap_unless_it_is_chosen() -> None:
    more = ceilings({"memoryBytes": 512 * MIB})
    assert more.address_space_bytes - USUAL.address_space_bytes == 384 * MIB
    assert ceilings({"memoryBytes": MAX_LIMIT}).address_space_bytes == MAX_LIMIT
    assert ceilings({"addressSpaceBytes": 200 * MIB}).address_space_bytes == 200 * MIB


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"memory_bytes": 1}, "there is no limit 'memory_bytes'; there are memoryBytes, "),
        ({"memoryBytes": 0}, "memoryBytes must be a whole number from 1 to"),
        ({"cpuSeconds": MAX_LIMIT + 1}, "cpuSeconds must be a whole number from 1 to"),
        ({"cpuSeconds": True}, "not True"),
        ({"addressSpaceBytes": 100 * MIB}, "addressSpaceBytes must be at least memoryBytes"),
        ({"memoryBytes": MIB, "addressSpaceBytes": 2 * MIB}, "a whole number from 67108864"),
    ],
)
def test_ceilings_that_no_child_could_keep_are_refused(chosen: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ceilings(chosen)


def test_terms_and_notes_arrive_as_they_were_sent() -> None:
    for isolation in ORDER:
        terms = Terms(isolation, ceilings({"memoryBytes": 7 * MIB}))
        assert parse_terms(terms.to_argument()) == terms
        for note in (Note(), Note(isolation), Note(isolation, {"memoryBytes": MAX_LIMIT})):
            assert parse_note(note.to_line()) == note


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"flowcage-child: a complaint\n",
        b"[]\n",
        b"{}\n",
        b"[" * 1999 + b"\n",
        b'{"isolation":"weak","lowered":{}}\n',
        b'{"isolation":["none"],"lowered":{}}\n',
        b'{"isolation":null,"lowered":[]}\n',
        b'{"isolation":null,"lowered":{"\\u001b[2J":1}}\n',
        b'{"isolation":null,"lowered":{"memoryBytes":"\\n"}}\n',
        b'{"isolation":null,"lowered":{"memoryBytes":true}}\n',
        b'{"isolation":null,"lowered":{"memoryBytes":-1}}\n',
        b'{"isolation":null,"lowered":{"memoryBytes":1.5}}\n',
        b'{"isolation":null,"lowered":{"memoryBytes":' + b"9" * 1000 + b"}}\n",
        b'{"isolation":null,"lowered":{}} {}\n',
        b"\xff\n",
    ],
)
def test_a_note_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever rule it breaks
        parse_note(line)
