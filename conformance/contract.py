"""A wire contract as the kit needs it: methods, schemas, codes of errors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from flowcage.protocol.errors import CODES
from flowcage.protocol.messages import METHODS
from flowcage.schemas import validate
from flowcage.schemas.loader import document, methods
from flowcage.schemas.validate import Violation


class Contract(NamedTuple):
    """One contract.

    Attributes:
        methods: those of its messages.
        codes: of the errors that it may answer with, by kind.
        says_all: whether params that fit their schema are never refused as invalid_params.
        violation: the first error of a message by its schema, such as ``start.params`` or ``error``.
    """

    methods: Collection[str]
    codes: Mapping[str, int]
    violation: Callable[[str, Any], Violation | None]
    says_all: bool = True


def _of_child(name: str, value: Any) -> Violation | None:
    method, _, part = name.rpartition(".")
    if part == "params":
        return validate.params_error(method, value)
    return validate.result_error(method, value) if method else validate.error_error(value)


OF_CHILD = Contract(METHODS, CODES, _of_child)


def _codes_of_host() -> dict[str, int]:
    codes: dict[str, int] = {}
    for case in document("error", "host")["allOf"]:
        kind = case["if"]["properties"]["data"]["properties"]["kind"]["const"]
        codes[kind] = case["then"]["properties"]["code"]["const"]
    return codes


OF_HOST = Contract(methods("host"), _codes_of_host(), validate.host_error, says_all=False)
