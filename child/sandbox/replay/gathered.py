"""What the turns of a `replay` have queued, until it is answered."""

from __future__ import annotations

# Of JSON text that is gathered, after which a replay is answered although turns are left.
FULL = 256 * 1024
_BYTES_OF_A_CHARACTER = 4
_MOST_ROOM = 2**31 - 1  # of the engine's integers


class Gathered:
    """The queued calls and requests of turns, as JSON text.

    Args:
        max_message_bytes: longest answer. All that is gathered fits into it, whatever the characters are.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self._most = max_message_bytes // _BYTES_OF_A_CHARACTER // 2
        self._counts: list[str] = []
        self._calls: list[str] = []
        self._requests: list[str] = []
        self._size = 0

    @property
    def turns(self) -> int:
        """How many have been carried out."""
        return len(self._counts)

    @property
    def is_full(self) -> bool:
        return self._size >= min(FULL, self._most)

    @property
    def room(self) -> int:
        """For what one more turn has queued, in characters."""
        return min(max(0, self._most - self._size), _MOST_ROOM)

    def add(self, text: str) -> None:
        """Take what one turn has queued, as the prelude's `gather` gives it."""
        count, calls, requests = text.split("\n")
        self._counts.append(count)
        if calls:
            self._calls.append(calls)
        if requests:
            self._requests.append(requests)
        self._size += len(calls) + len(requests) + len(count) + 3

    def answer(self) -> str:
        """The result of the replay of a run that goes on."""
        calls, requests, counts = map(",".join, (self._calls, self._requests, self._counts))
        return f'{{"calls":[{calls}],"requests":[{requests}],"state":"pending","counts":[{counts}]}}'
