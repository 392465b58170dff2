"""Applies JSON Schemas that workflows bring along, without letting one of them take the host with it.

A workflow is hostile, and so is its schema: one regular expression can backtrack for ever inside a single
call that nothing in this process can stop, and a few references can stand for 2**40 checks. So only what is
plainly cheap is done here, in a thread; everything else in a process of its own, which can be killed.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import Any

import trio

from flowcage.host.agents.base import AgentError
from flowcage.host.agents.instance import NoInstance, TooCostly, make
from flowcage.host.agents.program import ProgramError, output_of
from flowcage.host.agents.schema import Schema, SchemaError
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Starting the process takes a fraction of a second; what it then does should take less.
TIMEOUT_S = 10.0
# Characters of schema times characters of value: a millisecond as a rule; 4 million took 0.4 s at worst.
SMALL_WORK = 4_000_000
LARGE_WORK = 100_000_000
# Checking the schema itself took 0.2 s at worst for this many characters.
_SMALL_SCHEMA = 4_096
# Where the cost of a schema is not bounded by the product of the sizes.
_UNBOUNDED = re.compile(
    r'"(?:\$ref|\$dynamicRef|\$recursiveRef|pattern|patternProperties|uniqueItems'
    r'|unevaluatedItems|unevaluatedProperties)":'
)
_PROCESS = "flowcage.host.agents.referee_process"


async def check(schema: Json) -> None:
    """Make sure that a value is a JSON Schema which can be applied.

    Raises:
        AgentError: it is not.
    """
    if _is_small(schema):
        await _here(Schema, schema)
    else:
        await _elsewhere({"task": "check", "schema": schema}, TIMEOUT_S)


async def why_not(schema: Json, value: Json, *, timeout_s: float = TIMEOUT_S) -> str | None:
    """Say on one line why a value is not an instance of a schema; None when it is.

    Args:
        schema: a JSON Schema.
        value: any JSON value.
        timeout_s: seconds until a check in a process of its own is given up.

    Raises:
        AgentError: the schema is none, or could not be applied in time.
    """
    if _is_small(schema) and len(strictjson.dumps(schema)) * len(strictjson.dumps(value)) <= SMALL_WORK:
        problem: str | None = await _here(lambda: Schema(schema).why_not(value))
    else:
        problem = await _elsewhere({"task": "why_not", "schema": schema, "value": value}, timeout_s)
    return problem


async def minimal_instance(schema: Json, *, timeout_s: float = TIMEOUT_S) -> Json:
    """Make a small instance of a schema: always the same one.

    Args:
        schema: a JSON Schema.
        timeout_s: seconds until an attempt in a process of its own is given up.

    Raises:
        AgentError: the schema is none, or no instance of it was found.
    """
    if _is_small(schema):
        try:
            return await _here(instance, schema, SMALL_WORK)
        except TooCostly:
            pass
    return await _elsewhere({"task": "instance", "schema": schema}, timeout_s)


def instance(schema: Json, work: int) -> Json:
    """Make an instance and check it once more, as a whole; both in this process.

    Raises:
        SchemaError: the schema is none, or no instance of it was found.
        TooCostly: `work`, as in `make`, was not enough.
    """
    checked = Schema(schema)
    try:
        made = make(checked, schema, work)
    except NoInstance as error:
        raise SchemaError(f"echo cannot make an instance of options.schema: {error}") from None
    if (problem := checked.why_not(made)) is not None:
        raise SchemaError(f"echo cannot make an instance of options.schema: {problem}")
    return made


def _is_small(schema: Json) -> bool:
    text = strictjson.dumps(schema)
    return len(text) <= _SMALL_SCHEMA and not _UNBOUNDED.search(text)


async def _here(function: Any, *args: Any) -> Any:
    try:
        return await trio.to_thread.run_sync(partial(function, *args), abandon_on_cancel=True)
    except SchemaError as error:
        raise AgentError(str(error)) from None


async def _elsewhere(task: dict[str, Json], timeout_s: float) -> Json:
    argv = [sys.executable, "-I", "-m", _PROCESS]
    try:
        output = await output_of(argv, strictjson.dumps(task).encode(), timeout_s=timeout_s)
    except ProgramError as error:
        raise AgentError(f"options.schema could not be applied: the process for it {error}") from None
    reply = strictjson.loads(output)
    if "error" in reply:
        raise AgentError(reply["error"])
    return reply["result"]
