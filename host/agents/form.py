"""A prompt that says in which form to answer, and the JSON of an answer that keeps to it more or less.

For agents whose provider has no means of its own for schemas. Texts of answers are as hostile as workflows:
each search here takes time in proportion to the text, or gives up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import NoReturn

from flowcage.host.agents.call import AgentCall
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

_FORM = (
    "Answer with one JSON value that is valid against the JSON Schema below, and with nothing else: no text"
    " before or after it, and no Markdown."
)

_FENCE = re.compile(r"^[ \t]*+(`{3,}+|~{3,}+)[ \t]*+([^\n]*)$", re.MULTILINE)
_STRING = r'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"'
# Text has braces and brackets, too: an object begins with a name, and an array with a value.
_OBJECT = rf"\{{\s*+(?:\}}|{_STRING}\s*+:)"
_ARRAY = r'\[\s*+(?:[\]"\[{\-0-9]|true|false|null)'
_START = {
    "object": re.compile(_OBJECT),
    "array": re.compile(_ARRAY),
    None: re.compile(rf"{_OBJECT}|{_ARRAY}"),
}
_TYPES = {"object": dict, "array": list}
# More of either are no answer, whatever they are.
_MAX_FENCES = 1_000
_MAX_STARTS = 10_000
_WINDOW = 256
# Longer than what the end of a window makes invalid by cutting it in two, but for strings: "\\uD83D".
_LONGEST_TOKEN = 10


def prompt_of(call: AgentCall, *, says_schema: bool = True) -> str:
    """The prompt of a call, with its schema and the form of the answer behind it.

    Where the call is asked once more, the refused answer follows, and what was wrong with it.

    Args:
        call: to be asked.
        says_schema: False where the agent holds its model to all of the schema.
    """
    parts = [call.prompt]
    if says_schema and call.schema is not None:
        parts.append(f"{_FORM}\n\n{strictjson.dumps(call.schema)}")
    if call.problem is not None:
        if call.refused is not None:
            parts.append(f"Your last answer was:\n\n{call.refused}")
        parts.append(f"Your last answer was refused: {call.problem}\nAnswer again.")
    return "\n\n".join(parts)


def json_in(text: str, schema: Json = None) -> Json:
    """The one JSON value of an answer: all of the text, or in a fence, or an object or array in prose.

    A byte-order mark is left out. Of fences those that are tagged ``json`` come before others.

    Args:
        text: the answer.
        schema: in prose only values of its ``type`` are looked for.

    Raises:
        ValueError: there is no such value, or none that is valid JSON, or there are several. The message is
            a whole sentence.
    """
    text = text.lstrip("\ufeff")
    try:
        return _only_value(text, schema)
    except RecursionError:
        raise ValueError("it is not JSON: nested too deep") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None


def _only_value(text: str, schema: Json) -> Json:
    try:
        return _loads(text)
    except strictjson.StructureError:
        raise
    except ValueError as error:
        wrong = error
    wanted = _wanted(schema)
    kind = wanted[0] if len(wanted) == 1 else None
    for values in (_tagged(text), _fenced(text, kind), _in_prose(text, kind) if wanted else iter(())):
        first = next(values, None)
        if first is not None:
            return _require_same(first, values)
    raise wrong


def _wanted(schema: Json) -> list[str]:
    """Which of objects and arrays the ``type`` of a schema allows; both where it does not say."""
    told = schema.get("type") if isinstance(schema, dict) else None
    if not isinstance(told, str | list):
        return list(_TYPES)
    return [name for name in _TYPES if name in ([told] if isinstance(told, str) else told)]


def _loads(text: str) -> Json:
    value: Json = strictjson.loads(text.encode("utf-8", "surrogatepass"))
    return value


def _require_same(first: str, others: Iterator[str]) -> Json:
    """The value, unless another one follows; a program may write one twice."""
    value = _loads(first)
    plain = strictjson.dumps(value)
    for number, other in enumerate(others):
        if number > 10 or strictjson.dumps(_loads(other)) != plain:
            raise ValueError("there are several values, and one is needed")
    return value


def _tagged(text: str) -> Iterator[str]:
    for tag, content in _fences(text):
        if tag.lower() == "json":
            yield content


def _fenced(text: str, kind: str | None) -> Iterator[str]:
    for _, content in _fences(text):
        try:
            value = _loads(content)
        except (ValueError, RecursionError):
            continue
        if kind is None or isinstance(value, _TYPES[kind]):
            yield content


def _fences(text: str) -> Iterator[tuple[str, str]]:
    """Tag and content of each fenced block (CommonMark 4.5); one that is not closed ends with the text."""
    opened = None
    lines = _FENCE.finditer(text)
    for line in islice(lines, _MAX_FENCES):
        if opened is None:
            opened = line
        elif line[1].startswith(opened[1]) and not line[2].strip():
            yield opened[2].strip(), text[opened.end() : line.start()]
            opened = None
    if next(lines, None) is not None:
        raise ValueError(f"more than {_MAX_FENCES:,} Markdown fences")
    if opened is not None:
        yield opened[2].strip(), text[opened.end() :]


def _in_prose(text: str, kind: str | None) -> Iterator[str]:
    """The outermost objects and arrays.

    An array that breaks off is prose, such as "[0, 1)". An object that does is a damaged answer: what is
    whole inside of it, or behind it, is not what was to be said.
    """
    position = 0
    for _ in range(_MAX_STARTS):
        start = _START[kind].search(text, position)
        if start is None:
            return
        try:
            end = _end_of_value(text, start.start())
        except json.JSONDecodeError as error:
            position = error.pos
            if re.search(_OBJECT, text[start.start() : position]):
                raise
            continue
        yield text[start.start() : end]
        position = end
    raise ValueError("there are too many braces and brackets to look for a value among them")


def _end_of_value(text: str, start: int) -> int:
    """Where the JSON value ends that begins there.

    It is looked for in a window that grows: an error costs as much as its text is long, and many can come.

    Raises:
        JSONDecodeError: it breaks off.
        ValueError: it has a number or constant that is not JSON.
        RecursionError: it is nested too deep.
    """
    size = _WINDOW
    while True:
        window = text[start : start + size]
        try:
            return start + _DECODER.raw_decode(window)[1]
        except json.JSONDecodeError as error:
            is_cut = error.msg.startswith("Unterminated") or error.pos > size - _LONGEST_TOKEN
            if start + size >= len(text) or not is_cut:
                raise json.JSONDecodeError(error.msg, text, start + error.pos) from None
        size *= 8


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
