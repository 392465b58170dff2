"""Reads the JSON on stdin, ``{definition: [example, …]}``, with the models and writes it as they do."""

# mypy: ignore-errors
# It runs where the models and pydantic are, which this environment does not have.

import json
import sys

import types_of_the_bundle as types
from pydantic import TypeAdapter

written = {}
shapes = {}
for name, values in json.load(sys.stdin).items():
    adapter = TypeAdapter(getattr(types, name))
    read = [adapter.validate_python(value) for value in values]
    written[name] = [
        adapter.dump_python(each, mode="json", exclude_unset=True, by_alias=True) for each in read
    ]
    shapes[name] = [type(each.root).__name__ for each in read if hasattr(each, "root")]
print(json.dumps({"written": written, "shapes": shapes}))
