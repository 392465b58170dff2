"""Whether a message fits its published schema, and if not, where and why.

Importing this brings jsonschema. Each schema is compiled when it is first used, once per process.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from jsonschema.protocols import Validator

from flowcage.schemas.keywords import ContractValidator
from flowcage.schemas.loader import document
from flowcage.schemas.registry import registry

# Longest member name shown in full, in characters.
MAX_NAME = 80


class Violation(NamedTuple):
    """The first thing about a message that its schema does not allow.

    Attributes:
        path: JSON Pointer (RFC 6901) into the message; empty for the whole of it. A name of over `MAX_NAME`
            characters is cut.
        message: what is wrong there, without the value itself.
        schema: ``$id`` of the message's schema.
    """

    path: str
    message: str
    schema: str


def params_error(method: str, params: Any) -> Violation | None:
    """What is wrong with a request's params; None when nothing is.

    Raises:
        KeyError: the contract has no such method.
    """
    return _violation(f"{method}.params", params)


def result_error(method: str, result: Any) -> Violation | None:
    """What is wrong with the result of a reply to `method`; None when nothing is.

    Raises:
        KeyError: the contract has no such method.
    """
    return _violation(f"{method}.result", result)


def error_error(error: Any) -> Violation | None:
    """What is wrong with the error object of a reply; None when nothing is."""
    return _violation("error", error)


def _violation(name: str, value: Any) -> Violation | None:
    error = next(_validator(name).iter_errors(value), None)
    if error is None:
        return None
    path = "".join(f"/{_escape(str(token))}" for token in error.absolute_path)
    return Violation(path, error.message, document(name)["$id"])


def _escape(token: str) -> str:
    # Names of layers and of environment variables are the peer's, and may be as long as a line.
    short = token if len(token) <= MAX_NAME else token[:MAX_NAME] + "…"
    return short.replace("~", "~0").replace("/", "~1")


@cache
def _validator(name: str) -> Validator:
    validator: Validator = ContractValidator(document(name), registry=registry())
    return validator
