"""What a session begins with: names of programs, and the layers of the cage, which must hold or may."""

from collections.abc import Mapping

from flowcage._hints import NamedTuple
from flowcage.protocol.limits import Limits


class Peer(NamedTuple):
    """One side of the wire: name and version of its program, for logs."""

    name: str
    version: str


class Layer(NamedTuple):
    """One isolation layer: whether it holds, and how or why not."""

    applied: bool
    detail: str


class Initialized(NamedTuple):
    """What answers `initialize`; `methods` are empty where the child does not tell, because it is older."""

    protocol_version: str
    server: Peer
    engine: Peer
    limits: Limits
    isolation: dict[str, Layer]
    max_message_bytes: int
    methods: tuple[str, ...] = ()


# The layers that `strict` isolation requires.
STRICT_LAYERS = (
    "memory",
    "cpu",
    "files",
    "processes",
    "core",
    "descriptors",
    "environment",
    "capabilities",
    "no_new_privs",
    "seccomp",
    "sealed_code",
)
# Those of them that were added to 1.0 later: older children do not report them.
_ADDED_LAYERS = frozenset({"sealed_code"})
# The layers that are applied where the machine has them.
OPTIONAL_LAYERS = (
    "kernel_memory",
    "memory_access",
    "new_code",
    "parent_death",
    "uid",
    "landlock",
    "namespaces",
)
LAYERS = STRICT_LAYERS + OPTIONAL_LAYERS


def missing_layers(isolation: Mapping[str, Layer]) -> list[str]:
    """The layers of `STRICT_LAYERS` that do not hold, in their order.

    Args:
        isolation: the layers as a child reports them. One that was added later may be left out.
    """
    named = [name for name in STRICT_LAYERS if name in isolation or name not in _ADDED_LAYERS]
    return [name for name in named if name not in isolation or not isolation[name].applied]
