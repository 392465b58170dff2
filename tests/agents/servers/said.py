"""What a model says, whichever API carries it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowcage.host.agents.mock.instance import make

from .loopback import Server


@dataclass(frozen=True)
class Said:
    """An answer of a model.

    Attributes:
        text: of the answer.
        tool: name and input of a tool that it uses.
        stop: why it ended, in the words of the API.
        usage: as the API has it; None for the usual.
        model: that answered; None for the one that was asked for.
        refusal: text in place of an answer, where the API has a member for it.
        id: of the answer.
    """

    text: str = "The answer is 42."
    tool: tuple[str, Any] | None = None
    stop: str | None = None
    usage: Mapping[str, Any] | None = None
    model: str | None = None
    refusal: str | None = None
    id: str = "resp_1"


def instance_of(schema: Any) -> Any:
    """A value that a schema takes."""
    return make(schema)


def serve(server: Server, arguments: Sequence[str]) -> None:
    """Serve for a program from outside: print the URL, and end with stdin.

    Args:
        server: that serves.
        arguments: files that get the requests, a line of JSON each.
    """
    with server:
        print(server.url, flush=True)
        sys.stdin.read()
        for path in arguments:
            with open(path, "w") as file:
                file.writelines(json.dumps([each.path, each.body]) + "\n" for each in server.requests)
