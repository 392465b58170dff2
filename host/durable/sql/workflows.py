"""A workflow of a run's tree, packed, and its row."""

from __future__ import annotations

import json

from flowcage.host.durable.records import NewWorkflow
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.payloads import Packed, Payloads, place
from flowcage.host.durable.sql.rows import encoded_text
from flowcage.host.durable.sql.schema import escaped
from flowcage.protocol.messages import Json


def size_of(workflow: NewWorkflow) -> int:
    """Of its texts, in characters."""
    texts = workflow.source, workflow.args or "", *workflow.modules.values()
    return sum(map(len, texts))


def encoded_terms(terms: dict[str, Json], payloads: Payloads, source: bytes) -> bytes:
    """What is kept beside a workflow's source; sealed terms have the source's name and bind it to the run."""
    members = terms if payloads.sealer is None else {**terms, "source": source.hex()}
    return json.dumps(members, separators=(",", ":")).encode("ascii")


class StoredWorkflow:
    """A workflow, packed."""

    def __init__(self, scope: Scope, run_id: str, workflow: NewWorkflow) -> None:
        pack = scope.payloads.pack
        self._path = path = escaped(workflow.path)
        self.source = scope.payloads.pack_blob(encoded_text(workflow.source), b"")
        in_args = place("args", run_id, path)
        self._args = None if workflow.args is None else pack(encoded_text(workflow.args), in_args)
        terms: dict[str, Json] = {
            "sourceName": workflow.source_name,
            "dialect": workflow.dialect,
            "budget": list(workflow.budget),
            "limits": dict(workflow.limits),
            "madeBy": dict(workflow.made_by),
        }
        if workflow.agent:
            terms["agent"] = workflow.agent
        if workflow.modules:
            terms["modules"] = dict(workflow.modules)
        if workflow.reuse is not None:
            terms["reuse"] = workflow.reuse
        encoded = encoded_terms(terms, scope.payloads, self.source.blobs[0].hash)
        self._terms = pack(encoded, place("terms", run_id, path))
        self.size = sum(each.size for each in self._packed)

    @property
    def _packed(self) -> list[Packed]:
        return [self.source, self._terms, *([] if self._args is None else [self._args])]

    def insert(self, scope: Scope, run_id: str) -> None:
        args = None if self._args is None else self._args.data
        scope.db.execute(
            "INSERT INTO workflows(run_id, path, source, args, terms) VALUES(?, ?, ?, ?, ?)",
            (run_id, self._path, self.source.blobs[0].hash, args, self._terms.data),
        )
        scope.keep_blobs(run_id, [blob for each in self._packed for blob in each.blobs])
