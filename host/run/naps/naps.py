"""Children that end while handlers are at work, and are started anew when there is something to tell.

Unlike one that falls asleep, the run goes on meanwhile: with its core, its tasks, its turn among the tenant's
runs and its charge of memory, as its children may be back at any time. Only what would be told to a child
(`Turn`) waits: for a new one, which is told by a replay all that the old one was.
"""

from __future__ import annotations

from collections.abc import Mapping

import trio

from flowcage.host.outcome.errors import RunError
from flowcage.host.run.core.tree import Tree
from flowcage.host.run.node import Node


class Naps(RunError):
    """The child of a workflow is ended although nothing is over."""

    child_alive = True

    def __init__(self) -> None:
        super().__init__("the workflow's child is ended until there is something to tell it")


class Napping:
    """The workflows of one run that have no child.

    Attributes:
        waking: those of them whose new child is not yet where the old one was.
        count: how many children were ended by now.
    """

    def __init__(self) -> None:
        self._woken: dict[str, trio.Event] = {}
        self.waking: set[str] = set()
        self.count = 0

    def begin(self, tree: Tree, nodes: Mapping[str, Node]) -> None:
        """End the children of all workflows, of which none is at work."""
        for path in tree.workflows:
            if path not in self._woken and (node := nodes.get(path)) is not None and node.nap():
                self._woken[path] = trio.Event()
                self.count += 1

    def hold(self, path: str) -> bool:
        """Whether a workflow that has something to be told has no child; it gets one then."""
        if (woken := self._woken.get(path)) is not None:
            woken.set()
        return woken is not None

    async def until_woken(self, path: str) -> None:
        """Wait until there is something to tell."""
        await self._woken[path].wait()
        self.waking.add(path)

    def end(self, path: str) -> None:
        """A new child is where the old one was."""
        del self._woken[path]
        self.waking.discard(path)
