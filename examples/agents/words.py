#!/usr/bin/env python3
"""A stand-in for a language model, to be run as ``--agent 'command:python3 examples/agents/words.py'``.

It answers with words of the prompt. A real agent does the same three things: reads the prompt from
stdin, looks for a schema in the options, and prints the answer.
"""

import json
import os
import sys
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


def main() -> None:
    """Answer one prompt."""
    words = sys.stdin.read().split()
    options = json.loads(os.environ.get("FLOWCAGE_AGENT_OPTIONS") or "{}")
    if "schema" in options:
        print(json.dumps(fill(options["schema"], words)))
    else:
        print(f"{len(words)} words, from {words[0]!r} to {words[-1]!r}" if words else "an empty prompt")


if __name__ == "__main__":
    main()
