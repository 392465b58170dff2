"""Reads the JSON on stdin, ``{definition: [example, …]}``, with the models and writes it as they do."""

# mypy: ignore-errors
# It runs where the models and pydantic are, which this environment does not have.

import json
import sys

import types_of_the_bundle as types
from pydantic import TypeAdapter


def read_back(name: str, value: object) -> object:
    adapter = TypeAdapter(getattr(types, name))
    return adapter.dump_python(adapter.validate_python(value), mode="json", exclude_unset=True, by_alias=True)


examples = json.load(sys.stdin)
written = {name: [read_back(name, value) for value in values] for name, values in examples.items()}
request = types.Request.model_validate({"type": "sleep", "id": "1", "durationMs": 12})
print(json.dumps({"written": written, "shape": type(request.root).__name__}))
