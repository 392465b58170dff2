"""The usual reply, one that asks agents and says nothing, as an entry: each of its parts is encoded once.

A prompt stands in the entry and in the canonical JSON that its digest is made of. The bytes are those that
`codec.encode` and `digests.digests_of` make; `tests/durable/test_codec.py` compares them.
"""

from __future__ import annotations

from hashlib import blake2b

from flowcage.host.durable.history.digests import canonical, of_nothing_said
from flowcage.host.run.core.inputs import Said, State
from flowcage.protocol.messages import AgentRequest, Missing, Request
from flowcage.protocol.strictjson import dumps_ascii


def encoded(said: Said, key: bytes) -> bytes | None:
    """The entry, of the first version; None for any other reply, or one with parts that are withheld."""
    if said.calls or said.diagnostics or said.known or said.state is not State.PENDING:
        return None
    if said.result is not None or not said.requests:
        return None
    kept, digested = [], []
    for request in said.requests:
        if type(request) is not AgentRequest or type(request.prompt) is not str:
            return None
        one, other = _twice(request)
        kept.append(one)
        digested.append(other)
    canon = f'[[{",".join(digested)}],"pending",null]'.encode("ascii")
    asked = blake2b(canon, digest_size=16, key=key).hexdigest()
    head = f'{{"v":1,"t":"said","p":{dumps_ascii(said.path)},"asked":"{asked}"'
    return f'{head},"said":"{of_nothing_said(key)}","requests":[{",".join(kept)}]}}'.encode("ascii")


def _twice(request: Request) -> tuple[str, str]:
    """A request as an entry has it, and with its members in the order of their names."""
    assert isinstance(request, AgentRequest)
    identifier, prompt, options = dumps_ascii(request.id), dumps_ascii(request.prompt), request.options
    if isinstance(options, Missing):
        return (
            f'{{"type":"agent","id":{identifier},"prompt":{prompt}}}',
            f'{{"id":{identifier},"prompt":{prompt},"type":"agent"}}',
        )
    ordered = canonical(options).decode("ascii")
    is_flat = len(options) < 2 and not any(isinstance(each, dict | list | tuple) for each in options.values())
    as_given = ordered if is_flat else dumps_ascii(options)
    return (
        f'{{"type":"agent","id":{identifier},"prompt":{prompt},"options":{as_given}}}',
        f'{{"id":{identifier},"options":{ordered},"prompt":{prompt},"type":"agent"}}',
    )
