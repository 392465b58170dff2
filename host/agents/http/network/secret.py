"""A key of an account, which nobody but the provider gets to see."""

from __future__ import annotations

from flowcage.host.agents.errors import AgentSpecError

# A shorter key stands in ordinary text, too; it is a placeholder for a server that needs none.
_SHORTEST = 8
_HIDDEN = "[key]"


class Secret:
    """A key that shows in no text of its own.

    Args:
        key: as a variable has it. Space around it is left out, such as the end of a file's line.
        source: where it is from, for errors.

    Raises:
        AgentSpecError: a header cannot carry it; whoever sends it nevertheless has it in an error of httpx.
    """

    __slots__ = ("_key",)

    def __init__(self, key: str, source: str) -> None:
        self._key = key.strip()
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise AgentSpecError(
                f"{source} is no key: it has characters that none has, such as a space or a line's end"
            )

    def reveal(self) -> str:
        """The key, for the header of a request."""
        return self._key

    def hide(self, text: str) -> str:
        """A text without the key, which a server may send back."""
        return text.replace(self._key, _HIDDEN) if len(self._key) >= _SHORTEST else text

    def __repr__(self) -> str:
        return "Secret()"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")
