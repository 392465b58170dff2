"""The arguments of a tool: JSON within the bounds of all JSON here, which fits the tool's schema."""

from __future__ import annotations

from typing import Any

import jsonschema

from flowcage.host.cli.mcp.schemas import Schema
from flowcage.host.terminal.text import cut
from flowcage.host.ui.api.problems import Problem
from flowcage.protocol import strictjson

_WORDS = 400  # characters of what is wrong with an argument


def given_of(name: str, takes: Schema, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments.

    Args:
        name: of the tool, for messages.
        takes: its schema.
        arguments: as the SDK has read them, which takes NaN, half characters, and any number.

    Raises:
        Problem: they do not fit.
    """
    try:
        given: dict[str, Any] = strictjson.loads(strictjson.encoded(arguments))
    except ValueError as error:
        raise Problem(400, cut(f"{name}: {error}", _WORDS)) from None
    wrong = jsonschema.Draft202012Validator(takes).iter_errors(given)
    if (worst := jsonschema.exceptions.best_match(wrong)) is not None:
        place = "".join(f"{each}: " for each in worst.absolute_path)
        raise Problem(400, cut(f"{name}: {place}{worst.message}", _WORDS))
    return {member: _value(name, member, takes["properties"][member], given[member]) for member in given}


def _value(name: str, member: str, schema: Schema, value: Any) -> Any:
    """One of them: a whole number as such, although it may be written as 1.0; a text that UTF-8 has."""
    if schema.get("type") == "integer":
        return int(value)
    if schema.get("type") == "string":
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Problem(400, f"{name}: {member} has half of a character, a lone surrogate") from None
    return value
