#!/usr/bin/env python3
"""A stand-in for a language model, to be run as ``--agent 'command:python3 examples/agents/words.py'``.

It answers with words of the prompt. A real agent does the same: reads the prompt from stdin, which says in
which form to answer, tells what it spends on descriptor 3, and prints the answer. This one needs the schema
by itself, too, and takes it from the options.
"""

import json
import os
import sys
from contextlib import suppress
from typing import Any


def fill(schema: dict[str, Any], words: list[str]) -> object:
    """The smallest value of a simple schema, with words of the prompt for its strings."""
    kind = schema.get("type")
    if kind == "object":
        members = schema.get("properties", {})
        return {name: fill(members.get(name, {}), words) for name in schema.get("required", members)}
    if kind == "array":
        return [fill(schema.get("items", {}), words) for _ in range(schema.get("minItems", 1))]
    if kind == "boolean":
        return len(words) % 2 == 0
    if kind in ("integer", "number"):
        return max(len(words), schema.get("minimum", 0))
    return " ".join(words[:6]) or "nothing"


def given_options() -> dict[str, Any]:
    """The options of the call. Long ones are in a file."""
    if path := os.environ.get("FLOWCAGE_OPTIONS_FILE"):
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file))
    return dict(json.loads(os.environ.get("FLOWCAGE_OPTIONS") or "{}"))


def tell(**line: object) -> None:
    """Tell flowcage something; nobody listens where this is run by hand."""
    with suppress(OSError):
        os.write(3, json.dumps(line).encode() + b"\n")


def main() -> None:
    """Answer one prompt."""
    words = sys.stdin.read().split()
    options = given_options()
    tell(progress=f"reads {len(words)} words", usage={"input": len(words), "output": 10})
    if "schema" in options:
        print(json.dumps(fill(options["schema"], words)))
    else:
        print(f"{len(words)} words, from {words[0]!r} to {words[-1]!r}" if words else "an empty prompt")


if __name__ == "__main__":
    main()
