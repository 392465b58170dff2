"""Before its first fork a zygote runs one workflow, and builds the realm that its children begin with.

Afterwards every module is imported and every lazy cache filled. A child in its cage could not load a file
(`tests/process/test_zygote.py::test_a_child_finds_everything_loaded`), and what it computes by itself is on
pages of its own.
"""

from __future__ import annotations

import gc
import os

from flowcage.child.cage import lockdown
from flowcage.child.cage.highwater import open_high_water
from flowcage.child.sandbox.realm import Realm
from flowcage.child.session import Session
from flowcage.child.stdio import STATUS
from flowcage.protocol import envelope
from flowcage.protocol.limits import Limits
from flowcage.protocol.version import PROTOCOL_VERSION

# It uses every kind of message, request resolution and result that a small workflow does.
_SOURCE = """phase("warm"); log(args);
const words = await parallel([() => agent("a", { label: "a" }), () => agent("b")]);
return words.filter((word) => /[a-z]+/.test(word)).map((word) => ({ word }));"""


def warm_up() -> Realm:
    """Run a workflow with isolation ``none``, and build the realm that every child begins with.

    Raises:
        RuntimeError: the workflow failed, so children would, too.
    """
    high_water = open_high_water()
    session = Session(lockdown.apply_nothing, high_water)
    for number, (method, params) in enumerate(_messages()):
        for reply in session.receive(envelope.request(number, method, params)):
            if b'"error"' in reply.data:
                raise RuntimeError(f"the warm-up run failed: {reply.data[:500]!r}")
    realm = Realm(Limits(), high_water)
    os.close(STATUS)  # the next request's third descriptor must get this number
    gc.collect()
    gc.enable()
    gc.freeze()  # a collection in a child would write to, and so copy, the pages that all share
    return realm


def _messages() -> list[tuple[str, dict[str, object]]]:
    answer = {"type": "ok", "value": "word", "budget": {"total": None, "spent": 1}}
    return [
        ("initialize", {"protocolVersion": PROTOCOL_VERSION, "isolation": "none"}),
        ("start", {"source": _SOURCE, "args": {"n": [1.5, "x", None]}}),
        ("drain", {}),
        ("resolve", {"id": "1", "resolution": answer}),
        ("resolve", {"id": "2", "resolution": answer}),
        ("drain", {}),
    ]
