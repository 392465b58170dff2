"""The front matter of Markdown files: what is read, and what is refused with its line."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.agents.types.front_matter import FrontMatterError, Page, read_page


@pytest.mark.parametrize(
    ("matter", "found"),
    [
        ("", {}),
        ("# only a comment\n\n", {}),
        ("name: reviewer", {"name": "reviewer"}),
        ("name:\treviewer  # whose", {"name": "reviewer"}),
        ("colour: #fff", {"colour": ""}),
        ("description: Use it when: the user asks #1", {"description": "Use it when: the user asks"}),
        (
            r"description: a\nb <example>user: x</example>",
            {"description": r"a\nb <example>user: x</example>"},
        ),
        ("a: one\n  two\n\n  three\nb: x", {"a": "one two three", "b": "x"}),
        ('a: "q: \\"x\\" # \\u00e9\\n"  # c', {"a": 'q: "x" # é\n'}),
        ("a: 'it''s # so'", {"a": "it's # so"}),
        ("a: [x, 'y, z', Bash(git a, b)] # c", {"a": ["x", "y, z", "Bash(git a, b)"]}),
        ("a: []", {"a": []}),
        ("a:\n  - x\n  - 'y'\n- z # c\nb: 1", {"a": ["x", "y", "z"], "b": "1"}),
        ("a:\nb: no", {"a": "", "b": "no"}),
        ("a: |\n  one\n    two\n\n  three\n\nb: x", {"a": "one\n  two\n\nthree", "b": "x"}),
        ("a: >-\n  one\n  two\n\n  three", {"a": "one two\nthree"}),
        ("tools: *", None),
        (
            "a: 2024-01-01\nb: 0x1f\nc: null\nd: yes",
            {"a": "2024-01-01", "b": "0x1f", "c": "null", "d": "yes"},
        ),
    ],
)
def test_front_matter(matter: str, found: Any) -> None:
    text = f"---\n{matter}\n---\n\nBody\n---\nmore\n"
    for file in (text, f"\ufeff{text}", text.replace("\n", "\r\n")):
        if found is None:
            with pytest.raises(FrontMatterError, match=r"^2: this YAML is not read here: '\*'"):
                read_page(file)
        else:
            assert read_page(file) == Page(found, "Body\n---\nmore")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: expected '---'"),
        ("# Title\n", "1: expected '---'"),
        ("---\nname: x\n", "3: the front matter has no end"),
        ("---\nname: x\nrest\n---", "3: expected 'name: value', not 'rest'"),
        ("---\n  name: x\n---", "2: expected 'name: value'"),
        ("---\nname:x\n---", "2: expected 'name: value'"),
        ("---\na: 1\n\na: 2\n---", "4: 'a' is there twice"),
        ('---\na: "x\n---', "2: the quotes are not as in JSON"),
        ('---\na: "\\x41"\n---', "2: the quotes are not as in JSON"),
        ("---\na: 'x' y\n---", "2: the quotes are not as in JSON"),
        ("---\na: [x,\n---", "2: a list in brackets must end on its line"),
        ("---\na: {b: c}\n---", "2: this YAML is not read here: '{b: c}'"),
        ("---\na: &b c\n---", "2: this YAML is not read here"),
        ("---\na: !!python/object:os.system x\n---", "2: this YAML is not read here"),
        ("---\na:\n  - [b]\n---", "3: expected a text, not '[b]'"),
    ],
)
def test_other_files_are_refused_with_the_line(text: str, message: str) -> None:
    with pytest.raises(FrontMatterError) as caught:
        read_page(text)
    assert str(caught.value).startswith(message)
