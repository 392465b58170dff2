"""Checks messages against their published schemas, and reports the first error with its place.

This module imports jsonschema. Each schema is compiled at its first use, once in a process.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from jsonschema.protocols import Validator

from flowcage.schemas.keywords import ContractValidator
from flowcage.schemas.loader import Protocol, document
from flowcage.schemas.registry import registry

# Longest member name that a path has in full, in characters.
MAX_NAME = 80


class Violation(NamedTuple):
    """The first error of a message by its schema.

    Attributes:
        path: JSON Pointer (RFC 6901) into the message; empty for all of it. Names are cut to `MAX_NAME`
            characters.
        message: what is wrong there, without the value itself.
        schema: ``$id`` of the message's schema.
    """

    path: str
    message: str
    schema: str


def params_error(method: str, params: Any) -> Violation | None:
    """The first error of the params of a request; None where they fit.

    Raises:
        KeyError: the contract has no such method.
    """
    return _violation(f"{method}.params", params)


def result_error(method: str, result: Any) -> Violation | None:
    """The first error of the result of a reply to `method`; None where it fits.

    Raises:
        KeyError: the contract has no such method.
    """
    return _violation(f"{method}.result", result)


def error_error(error: Any) -> Violation | None:
    """The first error of the error object of a reply; None where it fits."""
    return _violation("error", error)


def host_error(name: str, value: Any) -> Violation | None:
    """The first error of a message of the host protocol; None where it fits.

    Args:
        name: of its schema, such as ``run.start.params``.
        value: params, result or error.

    Raises:
        KeyError: there is no such schema.
    """
    return _violation(name, value, "host")


def _violation(name: str, value: Any, protocol: Protocol = "child") -> Violation | None:
    error = next(_validator(name, protocol).iter_errors(value), None)
    if error is None:
        return None
    path = "".join(f"/{_escape(str(token))}" for token in error.absolute_path)
    return Violation(path, error.message, document(name, protocol)["$id"])


def _escape(token: str) -> str:
    # The peer chooses names of layers and of environment variables, which may be as long as a line.
    short = token if len(token) <= MAX_NAME else token[:MAX_NAME] + "…"
    return short.replace("~", "~0").replace("/", "~1")


@cache
def _validator(name: str, protocol: Protocol) -> Validator:
    validator: Validator = ContractValidator(document(name, protocol), registry=registry())
    return validator
