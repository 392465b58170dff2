"""The form of prompts and of answers with JSON, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.agents import AgentCall
from flowcage.host.agents.form import json_in, prompt_of

OBJECT = {"type": "object"}
ARRAY = {"type": "array"}
WORD = {"word": "x"}
FORM = (
    "Answer with one JSON value that is valid against the JSON Schema below, and with nothing else: no text"
    " before or after it, and no Markdown."
)


@pytest.mark.parametrize(
    ("call", "prompt"),
    [
        (AgentCall("1", "Hi", {}), "Hi"),
        (AgentCall("1", "Hi", {"schema": None}), "Hi"),
        (AgentCall("1", "Hi", {"schema": OBJECT}), f'Hi\n\n{FORM}\n\n{{"type":"object"}}'),
        (AgentCall("1", "", {"schema": {"const": "\ud800"}}), f'\n\n{FORM}\n\n{{"const":"\\ud800"}}'),
        (
            AgentCall("1", "Hi", {"schema": OBJECT}, "it is not JSON", refused="Sure!\nHere"),
            f'Hi\n\n{FORM}\n\n{{"type":"object"}}\n\nYour last answer was:\n\nSure!\nHere\n\n'
            "Your last answer was refused: it is not JSON\nAnswer again.",
        ),
        (AgentCall("1", "Hi", {}, "too long"), "Hi\n\nYour last answer was refused: too long\nAnswer again."),
    ],
)
def test_a_prompt_says_in_which_form_to_answer(call: AgentCall, prompt: str) -> None:
    assert prompt_of(call) == prompt


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"word": "x"}', WORD),
        ('\ufeff{"word": "x"}', WORD),
        ('\ufeff\ufeff \r\n{"word": "x"}\r\n', WORD),
        ("null", None),
        (" 5 ", 5),
        ('"```json\\n{}\\n```"', "```json\n{}\n```"),
        ('```json\n{"word": "x"}\n```', WORD),
        ('```JSON\r\n{"word": "x"}\r\n```\r\n', WORD),
        ('Sure!\n\n```\n{"word": "x"}\n```\nAnything else?', WORD),
        ('~~~ json\n{"word": "x"}\n~~~', WORD),
        ('  ```json\n  {"word": "x"}\n  ```', WORD),
        ('````json\n{"word": "x"}\n````', WORD),
        ('```json\n{"word": "x"}', WORD),
        ('```json\n"x"\n```', "x"),
        ('```js\nlet a = {b: [1]}\n```\n```json\n{"word": "x"}\n```', WORD),
        ('```\n{"draft": 1}\n```\n```json\n{"word": "x"}\n```', WORD),
        ('{"draft": 1} became\n```json\n{"word": "x"}\n```', WORD),
        ('```json {"word": "x"} ```', WORD),
        ('{"word": "x"}\n{"word": "x"}', WORD),
        ('Here it is: {"word": "x"}. Enjoy!', WORD),
        ('A {brace} and {another}, {"word": "x"}', WORD),
        ('function f() { return "a"; } {"word": "x"}', WORD),
        ('An interval [0, 1) and a [link](x), {"word": "x"}', WORD),
        ('it said "{" and then {"word": "x"}', WORD),
        ('{{"word": "x"}}', WORD),
        ('{"word": "x"}}', WORD),
        ('{"word": "a } b { \\" c"} done', {"word": 'a } b { " c'}),
        ('so: {"word": "```"} done', {"word": "```"}),
        ("we give {} back", {}),
        ("these: [1, [2, 3]] are it", [1, [2, 3]]),
        ('so: {"a": {"b": [{"c": 1}]}} done', {"a": {"b": [{"c": 1}]}}),
        ('so: {"a": "' + "x" * 5_000 + '"} done', {"a": "x" * 5_000}),
        ('so: {"a": [' + "12345, " * 5_000 + "1]} done", {"a": [12345] * 5_000 + [1]}),
        ('so: ["\\ud83d\\udc0b\\u0000"]', ["🐋\0"]),
    ],
)
def test_one_value_is_found(text: str, value: Any) -> None:
    assert json_in(text) == value


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ('As [1] says, {"word": "x"} it is', OBJECT, WORD),
        ('With {"word": "y"}: [1]', ARRAY, [1]),
        ('- [ ] open\n- {"word": "x"}', OBJECT, WORD),
        ('```\n[1]\n```\n```\n{"word": "x"}\n```', OBJECT, WORD),
        ('[{"word": "x"}]', OBJECT, [WORD]),
        ("so: [1]", {"type": ["array", "null"]}, [1]),
        ('so: [1], {"word": "x"}', {"type": ["null", "object"]}, WORD),
        ("so:\n```\n5\n```", {"type": "number"}, 5),
        ("so: [1]", True, [1]),
        ("so: [1]", {"type": {}}, [1]),
    ],
)
def test_the_type_that_a_schema_names_tells_values_from_prose(text: str, schema: Any, value: Any) -> None:
    assert json_in(text, schema) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON: Expecting value"),
        ("Sure! Here it is:", "it is not JSON: Expecting value"),
        ("the answer is 5", "it is not JSON: Expecting value"),
        ('{"word": NaN}', "it is not JSON: NaN is not JSON"),
        ("so: [NaN, 1]", "it is not JSON: Expecting value"),
        ("so: [1, NaN]", "it is not JSON: NaN is not JSON"),
        ('so: {"n": 1e999}', "it is not JSON: the number 1e999 is too large for a double"),
        ('so: {"n": ' + "9" * 5_000 + "}", "it is not JSON: "),
        ("[" * 600, "it is not JSON: nested more than 512 levels deep"),
        ('"' + '["x' * 2_000 + '"', "it is not JSON: "),
        ('so: " {"a":' + "[" * 5_000 + '"', "it is not JSON: nested"),
        ("{'word': 'x'}", "it is not JSON: Expecting property name"),
        ('{"word": "x",}', "it is not JSON: "),
        ('so: {"word": "x", // yes\n}', "it is not JSON: Expecting property name"),
        ('so: {"word": "x"', "it is not JSON: Expecting ',' delimiter: line 1 column 17"),
        ('so: {"word": "x', "it is not JSON: Unterminated string"),
        ('so: {"all": {"word": "x"}, oops}', "it is not JSON: Expecting property name"),
        ('so: [{"word": "x"},]', "it is not JSON: Expecting value"),
        ('so: [{"word": "x"}', "it is not JSON: Expecting ',' delimiter"),
        ('like {"word": …}, {"word": "x"}', "it is not JSON: Expecting value: line 1 column 15"),
        ('```json\n{"word": }\n```\n{"word": "x"}', "it is not JSON: Expecting value"),
        ('{"word": "x"}\n{"word": "y"}', "it is not JSON: there are several values"),
        ('```json\n{}\n```\n```json\n{"word": "x"}\n```', "it is not JSON: there are several values"),
        ("```\n1\n```\n```\n2\n```", "it is not JSON: there are several values"),
        ("as [1] says, {}", "it is not JSON: there are several values"),
        ("one {} " * 20, "it is not JSON: there are several values"),
        ("```\n" * 2_000, "it is not JSON: more than 1,000 Markdown fences"),
        ('x [" y ] ' * 20_000, "it is not JSON: there are too many braces and brackets"),
        ("so: {\"a\": '\ud800'}", "it is not JSON: "),
    ],
)
def test_what_has_not_one_value_is_refused_with_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^it is not JSON: ") as refused:
        json_in(text)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("kind", ["number", "string", ["integer", "null"], []])
def test_of_a_schema_without_objects_none_is_looked_for_in_prose(kind: Any) -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        json_in('the schema was {"type": "number"}', {"type": kind})


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        "[",
        '{"',
        '["',
        '["\\"',
        '{"\\"',
        "[0)",
        "{} ",
        '{"a":1} ',
        '"[',
        "```json\n",
        "`",
        "\n",
        '[{"a":',
    ],
)
def test_the_search_is_given_up_or_ends(unit: str) -> None:
    """8 MB of each end within a second of CPU; a search in quadratic time would take days."""
    text = "so: " + unit * (8_000_000 // len(unit))
    with pytest.raises(ValueError, match="it is not JSON"):
        json_in(text)
