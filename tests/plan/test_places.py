"""Where a planned call was made, as a table: label and prompt of the call, and the line that they lead to."""

from __future__ import annotations

import pytest

from flowcage.host.plan.places import place_of, varying
from flowcage.host.plan.recorder import PlannedCall

from ..graph.outlines import outline

SOURCE = (
    """const CTX = `about ${args.x}`;
agent('one thing', {label: 'a'});
agent(`${CTX}: look`, {label: `b:${x}`});
agent(`${CTX}: read`, {label: `b:c:${x}`});
agent(d.prompt);
agent(`same ${x}`);
agent(`same ${y}`);
agent('p '.repeat(9) + '"""
    + "long " * 80
    + """end', {label: 'l'});
agent(d.other, options);
"""
)


@pytest.mark.parametrize(
    ("label", "prompt", "line"),
    [
        ("a", "one thing", 2),
        ("a", "one other", 9),
        ("b:1", "about y: look", 3),
        ("b:c:1", "about y: read", 4),
        ("b:c:1", "about y: look", 3),
        (None, "anything at all", None),  # of two lines, either
        (None, "same 1", None),  # two lines fit as well
        ("l", "p p p " + "long " * 80 + "end", 8),
        ("other", "about y: look", 9),
    ],
)
def test_a_call_is_found_by_label_and_prompt(label: str | None, prompt: str, line: int | None) -> None:
    place = place_of(PlannedCall("r", "1", label=label, prompt=prompt), outline(SOURCE))
    assert (place and place.line) == line


def test_of_calls_that_read_the_same_the_one_of_the_same_phase_is_meant() -> None:
    found = outline("phase('A')\nagent(`do ${x}`)\nphase('B')\nagent(`do ${y}`)")
    for phase, line in (("A", 2), ("B", 4)):
        place = place_of(PlannedCall("r", "1", prompt="do it", phase=phase), found)
        assert place is not None
        assert place.line == line


def test_what_varies_is_looked_for_where_functions_are_called() -> None:
    found = outline(
        "const first = await agent('first')\nfunction each(x) { return inner(x) }\n"
        "const inner = (x) => agent('second', {label: 's'})\n"
        "for (const x of first.list) await each(x)\nif (args.y) each(1)\n"
        "for (let i = 0; i < 3; i++) { await agent('third', {label: 't'}); if (y) break }"
    )
    lines = {
        call.says.get("label", ""): [(block.kind, block.line) for block in varying(call, found)]
        for call in found.calls
        if call.kind == "agent"
    }
    assert lines == {"": [], "s": [("loop", 4)], "t": [("loop", 6)]}


def test_functions_that_call_each_other_have_an_end() -> None:
    found = outline("function f() { g(); agent('1') }\nfunction g() { f() }\nwhile (x) f()")
    (call,) = (call for call in found.calls if call.kind == "agent")
    assert [block.line for block in varying(call, found)] == [3]


def test_a_text_that_repeats_a_pattern_takes_no_longer_than_it_is_long() -> None:
    source = "agent(`" + "${x}a" * 50 + "`)"
    place = place_of(PlannedCall("r", "1", prompt="a" * 100_000), outline(source))
    assert place is not None
