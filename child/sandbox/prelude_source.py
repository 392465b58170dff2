"""The JavaScript that is part of a realm: the prelude, and the modules that a workflow may import.

The files are read on import, because the cage forbids to open any later.
"""

from __future__ import annotations

import os

_FOLDER = os.path.join(os.path.dirname(__file__), "prelude")
PRELUDE_NAME = "flowcage:prelude"  # in stacks, from which the prelude removes its own frames by it

VIRTUAL_MODULES = {
    b"workflow:extra": b"const { extra } = SW;\nexport const { sleep, ask } = extra;\nexport default extra;",
    b"workflow:sandbox": b"const { sandbox } = SW;\nexport const { exec } = sandbox;\n"
    b"export default sandbox;",
}


def _read_prelude() -> bytes:
    """The prelude's files, in the order of their names, as one script whose value is the bridge."""
    parts = []
    for name in sorted(os.listdir(_FOLDER)):
        if name.endswith(".js"):
            with open(os.path.join(_FOLDER, name), "rb") as file:
                parts.append(file.read())
    return b'(() => {\n"use strict";\n' + b"\n".join(parts) + b"\nreturn bridge;\n})()"


PRELUDE = _read_prelude()
