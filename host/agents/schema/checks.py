"""The checks of one run: by `plain` where that is cheap, by `checker` otherwise, each schema once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

import trio

from flowcage.host.agents.schema import plain, references
from flowcage.host.agents.schema.checker import Checker, SchemaRefused
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Characters of JSON. Models accept a tenth of that, and the host encodes the schema for each call.
MAX_SCHEMA_LENGTH = 256 * 1024
# Schemas whose check is remembered, the last used ones; others are checked again.
MAX_REMEMBERED = 32


@dataclass(eq=False)
class _Check:
    """Whether one schema can be applied. Calls that need the same schema wait for one check, by the lock."""

    lock: trio.Lock = field(default_factory=trio.Lock)
    is_good: bool = False
    refusal: str | None = None


class SchemaChecks:
    """The schemas of a run and its child workflows.

    Args:
        checker: for schemas that are not plain, and for explanations.
    """

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._checked: OrderedDict[bytes, _Check] = OrderedDict()

    async def admit(self, schema: Json) -> UsableSchema:
        """Check that a value is a JSON Schema that can be applied.

        Raises:
            SchemaRefused: it is not.
            AgentError: the check could not be done.
        """
        form = references.inlined(schema)
        if form is not None and plain.is_plain(form.whole):
            return UsableSchema(form.schema, schema, "", self._checker)
        text = strictjson.dumps(schema)
        if len(text) > MAX_SCHEMA_LENGTH:
            raise SchemaRefused(
                f"options.schema has {len(text)} characters of JSON; at most {MAX_SCHEMA_LENGTH} are allowed"
            )
        await self._check(text)
        return UsableSchema(None, schema, text, self._checker)

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
    """A schema that has been checked.

    Attributes:
        plain: a form of the schema that `is_plain` approved, if there is one.
        schema: as the workflow wrote it; refusals are explained by this one.
        text: the same as JSON; empty where there is a plain form.
        checker: applies a schema that is not plain, and explains refusals.
    """

    plain: Json
    schema: Json
    text: str
    checker: Checker

    async def why_not(self, value: Json) -> str | None:
        """Why a value is not an instance, on one line; None if it is one.

        Raises:
            AgentError: the schema could not be applied to this value.
        """
        return None if self.accepts(value) else await self.ask_checker(value)

    def accepts(self, value: Json) -> bool:
        """Whether a value is known to be an instance without a process."""
        return not self.text and plain.accepts(self.plain, value)

    async def ask_checker(self, value: Json) -> str | None:
        """As `why_not`, by a process."""
        text = self.text or strictjson.dumps(self.schema)
        task = f'{{"schema":{text},"value":{strictjson.dumps(value)}}}'
        return await self.checker.problem(task.encode())
