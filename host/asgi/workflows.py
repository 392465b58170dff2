"""Workflows of the service itself, which clients start by their names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import trio

from flowcage.host.asgi.submission import text_of
from flowcage.host.outcome.errors import RequestRejected
from flowcage.host.ui.api.answering import Call
from flowcage.host.ui.api.problems import Problem
from flowcage.host.workflows.child_workflows import ChildWorkflows
from flowcage.host.workflows.names import WORKFLOWS_FOLDERS, names_in
from flowcage.host.workflows.siblings import sibling_modules
from flowcage.host.workflows.source_files import SourceFileError

_LOGGER = logging.getLogger("flowcage.asgi")

_OF_SOURCES = ("source", "sourceName", "modules")


class Workflows:
    """Those of one service.

    Args:
        root: of its files; None where it has none.
        takes_source: whether clients may send sources, too.
    """

    def __init__(self, root: Path | None, takes_source: bool) -> None:
        self._root = root
        self._takes_source = takes_source

    async def names(self) -> list[str]:
        """Of all; on trio."""
        if self._root is None:
            return []
        return await trio.to_thread.run_sync(names_in, self._root, (".", *WORKFLOWS_FOLDERS))

    async def with_source(self, given: Mapping[str, Any], call: Call) -> dict[str, Any]:
        """The members of a request, with the source, its name and its modules in the place of `workflow`.

        Raises:
            Problem: there is no such workflow, or the client may not send what it sends.
        """
        sent = [name for name in _OF_SOURCES if name in given]
        if "workflow" not in given:
            if sent and not self._takes_source:
                raise Problem(403, "this service runs its own workflows only: send workflow, the name of one")
            return dict(given)
        if sent:
            raise Problem(422, f"send workflow or {sent[0]}, and not both")
        found = await call(partial(self._found, text_of(given, "workflow")))
        return {name: value for name, value in given.items() if name != "workflow"} | found

    async def _found(self, name: str) -> dict[str, Any]:
        if self._root is None:
            raise Problem(422, "this service has no workflows of its own; send source")
        workflows = ChildWorkflows(self._root)
        try:
            root, path, source = await trio.to_thread.run_sync(workflows.named, name)
            modules = await sibling_modules(source, path, root)
        except RequestRejected as error:
            raise Problem(404, str(error)) from None
        except SourceFileError as error:  # the service's own file
            _LOGGER.error("a workflow of the service cannot be read: %s", error)
            raise Problem(500, "the service cannot read this workflow; its log says more") from None
        return {"source": source, "sourceName": path, "modules": dict(modules)}
