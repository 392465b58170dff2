"""The terms of a server: ceilings and isolation for children that it hands to peers, whatever these ask for.

A host that starts a child for itself has no terms: it asks for what it needs. Terms do not cross the wire
(D34). The child gets them as an argument and writes a note of what its peer asked for beyond them; the peer
reads what it has in the answer to `initialize`.
"""

from flowcage._hints import Any, NamedTuple
from flowcage.protocol import strictjson
from flowcage.protocol.limits import FIELD_NAMES, MAX_LIMIT, MIB, WIRE_NAMES, Limits
from flowcage.protocol.messages import ISOLATIONS, Isolation

# Memory for the interpreter and for messages, beside the heap.
ADDRESS_SPACE_BESIDE_THE_HEAP = 320 * MIB
# The least with which a child can start and answer with an error.
LEAST_ADDRESS_SPACE = 64 * MIB
MAX_NOTE_BYTES = 2_000


class Agreed(NamedTuple):
    """The limits and the isolation that a peer gets."""

    limits: Limits
    isolation: Isolation


class Note(NamedTuple):
    """What a peer asked for and does not get.

    Attributes:
        isolation: the isolation that it asked for, where the terms require a stronger one.
        lowered: the values that it asked for above the ceilings, by the limits' names on the wire.
    """

    isolation: Isolation | None = None
    lowered: dict[str, int] = {}  # noqa: RUF012 - never changed

    def to_line(self) -> bytes:
        """The note as one line, for `parse_note`."""
        return strictjson.dumps(self._asdict()).encode() + b"\n"


class Terms(NamedTuple):
    """What a server grants.

    Attributes:
        isolation: the weakest isolation that a peer can get.
        ceilings: the largest value of each limit; all are above 0.
    """

    isolation: Isolation
    ceilings: Limits

    def to_argument(self) -> str:
        """The terms as one argument, for `parse_terms`."""
        return strictjson.dumps({"isolation": self.isolation, "ceilings": self.ceilings.to_wire()})

    def agree(self, asked: Limits, isolation: Isolation | None) -> Agreed:
        """What a peer gets for these limits and this isolation; None is ``strict``."""
        limits = (min(pair) for pair in zip(asked, self.ceilings, strict=True))
        return Agreed(Limits(*limits), _stronger(isolation or "strict", self.isolation))

    def note(self, asked: Limits, isolation: Isolation | None) -> Note:
        """What a peer does not get of these limits and this isolation. A default limit is not named."""
        weaker = isolation if isolation and _stronger(isolation, self.isolation) != isolation else None
        usual, ceilings = Limits()._asdict(), self.ceilings._asdict()
        return Note(
            weaker,
            {
                WIRE_NAMES[name]: value
                for name, value in asked._asdict().items()
                if value > ceilings[name] and value != usual[name]
            },
        )


def ceilings(chosen: dict[str, int]) -> Limits:
    """Ceilings for every limit: the chosen ones, and for the others a run's defaults.

    Args:
        chosen: by the limits' names on the wire.

    Raises:
        ValueError: there is no such limit, or its value is out of range.
    """
    for name, value in chosen.items():
        least = LEAST_ADDRESS_SPACE if name == "addressSpaceBytes" else 1
        if name not in FIELD_NAMES:
            raise ValueError(f"there is no limit {name!r}; there are {', '.join(FIELD_NAMES)}")
        if type(value) is not int or not least <= value <= MAX_LIMIT:
            raise ValueError(f"{name} must be a whole number from {least} to {MAX_LIMIT}, not {value!r}")
    limits = Limits(**{FIELD_NAMES[name]: value for name, value in chosen.items()})
    if "addressSpaceBytes" not in chosen:
        room = min(limits.memory_bytes + ADDRESS_SPACE_BESIDE_THE_HEAP, MAX_LIMIT)
        return limits._replace(address_space_bytes=room)
    if limits.address_space_bytes < limits.memory_bytes:
        raise ValueError("addressSpaceBytes must be at least memoryBytes, which is a part of it")
    return limits


def parse_terms(text: str) -> Terms:
    """Read the argument that `Terms.to_argument` returns.

    Raises:
        ValueError: the text is not of that form.
    """
    members = _members(text.encode())
    return Terms(_isolation(members["isolation"]), ceilings(members["ceilings"]))


def parse_note(line: bytes) -> Note:
    """Read the line that `Note.to_line` returns. It comes from a child that may be hostile.

    Raises:
        ValueError: the line is not of that form, or names a limit that does not exist.
    """
    members = _members(line)
    isolation, lowered = members.get("isolation"), members.get("lowered")
    if not isinstance(lowered, dict) or not all(map(_is_limit, lowered.items())):
        raise ValueError("a note names limits")
    return Note(None if isolation is None else _isolation(isolation), lowered)


def _is_limit(pair: tuple[str, Any]) -> bool:
    return pair[0] in FIELD_NAMES and type(pair[1]) is int and 0 < pair[1] <= MAX_LIMIT


def _members(data: bytes) -> dict[str, Any]:
    members = strictjson.loads(data)
    if not isinstance(members, dict):
        raise ValueError("an object was expected")
    return members


def _isolation(name: Any) -> Isolation:
    for isolation in ISOLATIONS:
        if isolation == name:
            return isolation
    raise ValueError("there is no such isolation")


def _stronger(one: Isolation, other: Isolation) -> Isolation:
    return min(one, other, key=ISOLATIONS.index)
