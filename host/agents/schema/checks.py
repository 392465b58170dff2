"""Checks for one run: here where that is plainly cheap, elsewhere where it is not, each schema once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

import trio

from flowcage.host.agents.schema import plain
from flowcage.host.agents.schema.checker import Checker, SchemaRefused
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Characters of JSON. Models take a tenth of that, and the host encodes it for each call.
MAX_SCHEMA_LENGTH = 256 * 1024
# Schemas that are remembered to be good; a run that has more has them checked again.
MAX_REMEMBERED = 32


@dataclass(eq=False)
class _Check:
    """Whether one schema can be applied; the lock is for who finds that out, for all who wait to know."""

    lock: trio.Lock = field(default_factory=trio.Lock)
    is_good: bool = False
    refusal: str | None = None


class SchemaChecks:
    """One for a run and its child workflows.

    Args:
        checker: does what is not plainly cheap.
    """

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._checked: OrderedDict[bytes, _Check] = OrderedDict()

    async def admit(self, schema: Json) -> UsableSchema:
        """Make sure that a value is a JSON Schema which can be applied.

        Raises:
            SchemaRefused: it is not.
            AgentError: that could not be found out.
        """
        if plain.is_plain(schema):
            return UsableSchema(schema, "", self._checker)
        text = strictjson.dumps(schema)
        if len(text) > MAX_SCHEMA_LENGTH:
            raise SchemaRefused(
                f"options.schema has {len(text)} characters of JSON; at most {MAX_SCHEMA_LENGTH} are allowed"
            )
        await self._check(text)
        return UsableSchema(None, text, self._checker)

    async def _check(self, text: str) -> None:
        check = self._remembered(hashlib.sha256(text.encode()).digest())
        async with check.lock:
            if not check.is_good and check.refusal is None:
                try:
                    await self._checker.problem(f'{{"schema":{text}}}'.encode())
                    check.is_good = True
                except SchemaRefused as refused:
                    check.refusal = str(refused)
        if check.refusal is not None:
            raise SchemaRefused(check.refusal)

    def _remembered(self, digest: bytes) -> _Check:
        check = self._checked.setdefault(digest, _Check())
        self._checked.move_to_end(digest)
        while len(self._checked) > MAX_REMEMBERED:
            self._checked.popitem(last=False)
        return check


@dataclass(frozen=True)
class UsableSchema:
    """A schema that was found to be one.

    Attributes:
        plain: the schema, where `flowcage.host.agents.schema.plain` knows all of it.
        text: as JSON, where it does not.
    """

    plain: Json
    text: str
    checker: Checker

    async def why_not(self, value: Json) -> str | None:
        """Say on one line why a value is not an instance; None when it is.

        Raises:
            AgentError: the schema could not be applied to this value.
        """
        if not self.text and plain.accepts(self.plain, value):
            return None
        text = self.text or strictjson.dumps(self.plain)
        task = f'{{"schema":{text},"value":{strictjson.dumps(value)}}}'
        return await self.checker.problem(task.encode())
