"""A JSON Schema that nobody vouches for: checked, and applied with explanations of one line.

Importing jsonschema takes longer than starting a child, so it waits for the first schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flowcage.protocol.messages import Json

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from referencing import Resource
    from referencing._core import Resolver

# An explanation quotes the value it is about, which can be megabytes.
MAX_EXPLANATION = 500


class SchemaError(Exception):
    """The schema is none, or cannot be applied; the message says why."""


class Schema:
    """A JSON Schema (2020-12).

    Args:
        schema: any JSON value. References must stay inside it: nothing is ever fetched.

    Raises:
        SchemaError: it is not a schema, or has a reference that leads nowhere.
    """

    def __init__(self, schema: Json) -> None:
        from jsonschema import Draft202012Validator
        from referencing.jsonschema import DRAFT202012, EMPTY_REGISTRY

        if not isinstance(schema, dict | bool):
            raise SchemaError("options.schema is not a JSON Schema: it must be an object or a boolean")
        with _explained():
            Draft202012Validator.check_schema(schema)
            resource: Resource[Any] = DRAFT202012.create_resource(schema)
            self._resolver = EMPTY_REGISTRY.resolver_with_root(resource)
            _check_references(resource, self._resolver)
            self._validator = Draft202012Validator(schema, registry=EMPTY_REGISTRY)

    def why_not(self, value: Json) -> str | None:
        """Say on one line, with a JSON Pointer (RFC 6901), why a value is no instance; None when it is."""
        from jsonschema.exceptions import best_match

        with _explained():
            error: ValidationError | None = best_match(self._validator.iter_errors(value))
        return None if error is None else _one_line(error)

    def accepts(self, part: Json, value: Json) -> bool:
        """Whether a value is an instance of a schema inside this one."""
        with _explained():
            return self._validator.evolve(schema=part).is_valid(value)

    def resolve(self, reference: str) -> Json:
        """The schema that a reference at the root of this one means."""
        with _explained():
            return self._resolver.lookup(reference).contents


def _check_references(resource: Resource[Any], resolver: Resolver[Any]) -> None:
    """Look every reference up: one that leads nowhere is an error whatever the value."""
    contents = resource.contents
    if isinstance(contents, dict):
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in contents:
                _look_up(contents[keyword], resolver)
    for part in resource.subresources():
        _check_references(part, resolver.in_subresource(part))


def _look_up(reference: str, resolver: Resolver[Any]) -> None:
    from referencing.exceptions import Unresolvable

    try:
        resolver.lookup(reference)
    except Unresolvable:
        problem = f"options.schema refers to {_cut(reference)!r}, which is not inside it; nothing is fetched"
        raise SchemaError(problem) from None


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever a schema leads the validator into to a `SchemaError`."""
    import jsonschema

    try:
        yield
    except jsonschema.SchemaError as error:
        raise SchemaError(f"options.schema is not a JSON Schema (2020-12): {_one_line(error)}") from None
    except SchemaError:
        raise
    except RecursionError:
        raise SchemaError("options.schema is nested too deeply, or refers to itself without end") from None
    except Exception as error:
        # jsonschema promises no list of what it raises on input such as 1e308 % 1e-300.
        raise SchemaError(f"options.schema cannot be applied: {error!r:.{MAX_EXPLANATION}}") from error


def _one_line(error: ValidationError | Any) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in error.absolute_path)
    pointer = "".join(f"/{step}" for step in steps) or "(root)"
    message = " ".join(str(error.message).split())
    return f"{_cut(pointer)}: {_cut(message)}"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_EXPLANATION else f"{text[:MAX_EXPLANATION]}…"
