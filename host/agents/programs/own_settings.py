"""The table of an agent in flowcage.toml, member by member."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from flowcage.host.agents.errors import AgentSpecError
from flowcage.host.terminal.near_match import did_you_mean
from flowcage.protocol.messages import Json


class OwnSettings:
    """Reads one table, and refuses what the agent does not know.

    Args:
        agent: its name.
        table: as the file has it.
        known: the names of all members.

    Raises:
        AgentSpecError: another member is there. Reading one raises it, too, where that has a wrong value.
    """

    def __init__(self, agent: str, table: Mapping[str, Json], known: Collection[str]) -> None:
        self._agent, self._table = agent, table
        for name in table:
            if name not in known:
                hint = did_you_mean(name, known) or f"; known are {', '.join(sorted(known))}"
                raise AgentSpecError(f"agents.{agent} has no setting {name!r}{hint}")

    def text(self, name: str, choices: Collection[str] | None = None) -> str | None:
        """A text; one of the choices, where there are any."""
        value = self._table.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not value or "\0" in value:
            raise self._wrong(name, "text that is not empty")
        if choices is not None and value not in choices:
            raise self._wrong(name, f"one of {', '.join(map(repr, choices))}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty for none."""
        value = self._table.get(name, [])
        if not isinstance(value, list):
            raise self._wrong(name, "a list of texts")
        texts = [each for each in value if isinstance(each, str) and "\0" not in each]
        if len(texts) < len(value):
            raise self._wrong(name, "a list of texts")
        return tuple(texts)

    def flag(self, name: str) -> bool:
        """Whether something is set to true."""
        value = self._table.get(name, False)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def above_zero(self, name: str) -> float | None:
        """A number above 0."""
        value = self._table.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise self._wrong(name, "a number above 0")
        return value

    def _wrong(self, name: str, expected: str) -> AgentSpecError:
        given = repr(self._table[name])[:100]
        return AgentSpecError(f"agents.{self._agent}.{name} must be {expected}, not {given}")
