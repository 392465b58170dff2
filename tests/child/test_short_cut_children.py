"""Children with and without the short cut, where a session in the test cannot go: a full heap."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.protocol import envelope

from .child_process import PROGRAM, ChildProcess
from .short_cut_cases import OK

HOG = "const a = []; for (;;) a.push(new Array(10000).fill(0));"
SOURCES = {
    "in a run": f"log('before'); agent('x');\nfunction hog() {{ {HOG} }}\nhog();",
    "in a run that is described": f"log(1); {HOG} return 1;",
    "by the source": "export default [" + "'0123456789'.repeat(1e6)," * 3000 + "1].length",
    "behind an answer": f"agent('y'); await agent('x'); log('between');\n{HOG}",
    "while it is answered": f"Object.defineProperty(Object.prototype, 'then', {{ get() {{ {HOG} }} }});"
    "agent('y'); await agent('x');",
    "in the result": f"return {{ toJSON() {{ {HOG} }} }};",
}


def replies(command: tuple[str, ...], source: str) -> list[bytes]:
    """What a child answers to a run, to answers, and to what follows."""
    settlement = {"resolution": {"type": "ok", "value": {"a": [1]}}}
    turn = [{"id": "1", **settlement}, {"id": "2", **settlement}]
    with ChildProcess(command) as child:
        child.initialize(stepTimeoutMs=30_000)
        heard = []
        messages: list[tuple[str, dict[str, Any]]] = [
            ("run", {"source": source, "describe": True}),
            ("advance", {"turns": [turn]}),
            ("resolve", {"id": "1", "resolution": OK}),
            ("resolve", {"id": "2", "resolution": OK}),
            ("drain", {}),
        ]
        for method, params in messages:
            child.send(envelope.request(9, method, params))
            heard.append(child.next_line())
    return heard


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_full_heap_is_told_alike(source: str) -> None:
    short = replies(PROGRAM, source)
    assert short == replies((*PROGRAM, "--no-short-cut"), source)
    assert any(b'"kind":"memory"' in line for line in short)
