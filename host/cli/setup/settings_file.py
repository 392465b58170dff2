"""One file of settings, ``flowcage.toml``: read, and checked key by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from flowcage.host.agents.spec import KNOWN_AGENTS
from flowcage.host.agents.types.text_file import read_text_file
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.runs.times import seconds_of
from flowcage.host.terminal.near_match import did_you_mean

# A key of n parts takes tomllib steps in the square of n: three seconds in a file of this length.
MAX_BYTES = 32 * 1024
ROUTE_KEYS = ("label", "phase", "model", "provider", "agentType", "agent")
_KEYS = ("agent", "models", "agents", "route", "trusted")


@dataclass(frozen=True)
class Settings:
    """What a file says.

    Attributes:
        path: of the file.
        agent: as ``--agent`` takes it; None for none.
        models: the model for each alias.
        agents: by name of an agent, its table.
        routes: tables with patterns and the ``agent`` for the calls that fit, in order.
        trusted: folders whose projects may say who answers; only the user's file has some.
    """

    path: Path
    agent: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    routes: tuple[Mapping[str, str], ...] = ()
    trusted: tuple[str, ...] = ()


def read_settings(path: Path, *, follows_links: bool) -> Settings:
    """Read a file.

    Args:
        path: of the file.
        follows_links: whether it may be a symbolic link.

    Raises:
        FileNotFoundError: there is none.
        PermissionError: the user may not read it.
        InputError: it cannot be read otherwise, or has a key or a value that is not known.
    """
    import tomllib  # only where there is a file

    try:
        text = read_text_file(path, MAX_BYTES, follows_links=follows_links)
        found = tomllib.loads(text)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8: {error.reason} at byte {error.start}") from None
    except ValueError as error:  # tomllib.TOMLDecodeError is one, and int() has another for 4,300 digits
        raise InputError(f"{path}: is not TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply") from None
    return _Checked(path).settings(found)


class _Checked:
    """Checks one file; each error names it and the key."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def settings(self, found: dict[str, Any]) -> Settings:
        self._known("", found, _KEYS)
        return Settings(
            path=self._path,
            agent=self._text("agent", found["agent"]) if "agent" in found else None,
            models=self._table("models", found.get("models", {}), self._text),
            agents=self._agents(found.get("agents", {})),
            routes=tuple(self._list("route", found.get("route", []), self._route)),
            trusted=tuple(self._list("trusted", found.get("trusted", []), self._folder)),
        )

    def _agents(self, tables: Any) -> dict[str, dict[str, Any]]:
        found = self._table("agents", tables, lambda key, value: self._table(key, value, self._json))
        for name, table in found.items():
            if name not in KNOWN_AGENTS:
                self._fail(f"agents.{name}", f"there is no such agent{did_you_mean(name, KNOWN_AGENTS)}")
            for key in ("timeout", "idle_timeout"):
                if key in table:
                    table[key] = self._seconds(f"agents.{name}.{key}", table[key])
            if "model" in table:
                self._text(f"agents.{name}.model", table["model"])
        return found

    def _route(self, key: str, value: Any) -> dict[str, str]:
        route = self._table(key, value, self._text)
        self._known(f"{key}.", route, ROUTE_KEYS)
        if "agent" not in route or len(route) < 2:
            self._fail(key, 'expected `agent` and a pattern, such as label = "verify:*"')
        return route

    def _known(self, prefix: str, found: Iterable[str], known: tuple[str, ...]) -> None:
        for key in found:
            if key not in known:
                hint = did_you_mean(key, known)
                self._fail(f"{prefix}{key[:80]}", f"there is no such key{hint}; known are {', '.join(known)}")

    def _table(self, key: str, value: Any, check: Callable[[str, Any], Any]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._fail(key, f"expected a table, not {value!r}")
        return {name: check(f"{key}.{name}", each) for name, each in value.items()}

    def _list(self, key: str, value: Any, check: Callable[[str, Any], Any]) -> list[Any]:
        if not isinstance(value, list):
            self._fail(key, f"expected a list, not {value!r}")
        return [check(f"{key}[{index}]", each) for index, each in enumerate(value)]

    def _text(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            self._fail(key, f"expected a text, not {value!r}")
        return value

    def _folder(self, key: str, value: Any) -> str:
        if not self._text(key, value).startswith(("/", "~")):
            self._fail(key, f"expected a path that begins with / or ~, not {value!r}")
        return str(value)

    def _seconds(self, key: str, value: Any) -> float:
        seconds = seconds_of(value) if isinstance(value, str) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e9:
            self._fail(key, f'expected seconds above 0, or a length such as "30m", not {value!r}')
        return seconds

    def _json(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return self._table(key, value, self._json)
        if isinstance(value, list):
            return self._list(key, value, self._json)
        if not isinstance(value, str | int | float | bool) or value != value:
            self._fail(key, f"expected a text, a number, true or false, not {value!r}")
        return value

    def _fail(self, key: str, why: str) -> NoReturn:
        raise InputError(f"{self._path}: {key}: {why}")
