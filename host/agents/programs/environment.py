"""What the program of a call finds in its environment."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.programs.errors import ProgramNotStarted
from flowcage.host.agents.trace import traced
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# On Linux a variable has 128 KiB at most, and all together a quarter of the stack's limit.
MAX_OPTIONS_BYTES = 64 * 1024
MAX_TEXT_BYTES = 8 * 1024


@contextmanager
def environment_of(call: AgentCall) -> Iterator[dict[str, str]]:
    """The host's environment with the call's variables and its trace; an unknown one is empty.

    ``FLOWCAGE_OPTIONS`` has the call's options as JSON, and the ``tools`` that its type may use. Where they
    are long it is empty, and ``FLOWCAGE_OPTIONS_FILE`` names a file with them, which is removed at the
    end of the block.

    Raises:
        ProgramNotStarted: the file cannot be written.
    """
    options = strictjson.dumps(_options(call)).encode()
    in_file = len(options) > MAX_OPTIONS_BYTES
    path = _written(options) if in_file else ""
    texts = {
        "FLOWCAGE_RUN_ID": call.root_run_id or call.run_id,
        "FLOWCAGE_REQUEST_ID": call.id,
        "FLOWCAGE_LABEL": call.label,
        "FLOWCAGE_PHASE": call.phase,
        "FLOWCAGE_ATTEMPT": str(call.attempt),
        "FLOWCAGE_IDEMPOTENCY_KEY": call.idempotency_key,
        "FLOWCAGE_INTERRUPTED": "1" if call.interrupted else "",
        "FLOWCAGE_HANDLE": call.handle,
        "FLOWCAGE_SESSION_ID": call.session,
        "FLOWCAGE_MODEL": call.model,
        "FLOWCAGE_TOOLS": None if call.tools is None else strictjson.dumps(call.tools),
        "FLOWCAGE_TOKENS_LEFT": None if call.tokens_left is None else str(call.tokens_left),
        "FLOWCAGE_COST_LEFT": None if call.cost_left is None else f"{call.cost_left:f}",
    }
    variables = {name: _variable(text or "") for name, text in texts.items()}
    variables["FLOWCAGE_OPTIONS"] = "" if in_file else os.fsdecode(options)
    variables["FLOWCAGE_OPTIONS_FILE"] = path
    try:
        yield {**traced(os.environ), **variables}
    finally:
        if path:
            with suppress(FileNotFoundError):  # the program may remove it
                os.unlink(path)


def _options(call: AgentCall) -> dict[str, Json]:
    return dict(call.options) if call.tools is None else {**call.options, "tools": list(call.tools)}


def _variable(text: str) -> str:
    """Text as the value of a variable, which is UTF-8 in any locale: os.fsdecode is undone by `exec`."""
    value = text.replace("\0", "\ufffd").encode("utf-8", "replace")
    return os.fsdecode(value[:MAX_TEXT_BYTES].decode("utf-8", "ignore").encode())


def _written(options: bytes) -> str:
    path = ""
    try:
        descriptor, path = tempfile.mkstemp(prefix="flowcage-options-", suffix=".json")  # for this user only
        with open(descriptor, "wb") as file:
            file.write(options)
    except OSError as error:
        if path:
            os.unlink(path)
        reason = f"its {len(options)} bytes of options cannot be written to a file: {error.strerror}"
        raise ProgramNotStarted(reason, error.errno or 0) from None
    return path
