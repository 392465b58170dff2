"""The children of one workflow, one after another: mostly one, and a further one after each nap.

The tasks of the workflow (handlers, alarms) live in the nursery that the first child's `run` opens, also
after that child is ended. So one that has no nap pays nothing for it, and what `Child.run` promises of errors
and cancellation holds around all: each further child runs inside, and is gone before handlers are cancelled.
"""

from __future__ import annotations

from contextlib import ExitStack

import trio

from flowcage.host.process.launch.launcher import Launcher
from flowcage.host.process.supervisor import Child
from flowcage.host.run.conversation import Conversation
from flowcage.host.run.driver import Driver
from flowcage.host.run.naps.naps import Naps
from flowcage.host.run.naps.used import Succession
from flowcage.host.run.node import Node
from flowcage.host.run.past.past import PastWorkflow
from flowcage.protocol.messages import Json


class Children:
    """Of one workflow.

    Args:
        node: the workflow.
        driver: of the whole tree.
        conversation: held with each of them.
        launcher: starts them.

    Attributes:
        so_far: all of them, as they are measured.
    """

    def __init__(self, node: Node, driver: Driver, conversation: Conversation, launcher: Launcher) -> None:
        self._node = node
        self._driver = driver
        self._conversation = conversation
        self._launcher = launcher
        self.so_far = Succession()

    async def hold(self, source: str, args: Json) -> Json:
        """Start a child and hold the conversation, with it and those after it, until the workflow is over.

        Returns:
            The workflow's result.
        """
        child = await self._start()
        charged = self._charged(child)

        async def converse(nursery: trio.Nursery) -> Json:
            self._node.open(nursery)
            try:
                return await self._through_naps(child, charged, source, args)
            finally:
                self._node.close()

        with charged:
            return await child.run(converse)

    async def _through_naps(self, first: Child, charged: ExitStack, source: str, args: Json) -> Json:
        try:
            return await self._conversation.hold(first, source, args)
        except Naps:
            await first.end()
            charged.close()
        while True:
            past = await self._woken()
            try:
                return await self._in_another(source, args, past)
            except Naps:
                continue

    async def _woken(self) -> PastWorkflow:
        driver, path = self._driver, self._node.path
        assert driver.journal is not None
        await driver.napping.until_woken(path)
        return await driver.journal.past(path)

    async def _in_another(self, source: str, args: Json, past: PastWorkflow) -> Json:
        child = await self._start()

        async def converse(_nursery: trio.Nursery) -> Json:
            try:
                result = await self._conversation.hold(child, source, args, past)
            except Naps:
                raise
            except BaseException:
                self._node.close()
                raise
            self._node.close()
            return result

        with self._charged(child):
            return await child.run(converse)

    async def _start(self) -> Child:
        driver = self._driver
        child = await Child.start(self._launcher, driver.allowance, driver.share.glances)
        self.so_far.follow(child)
        return child

    def _charged(self, child: Child) -> ExitStack:
        """Left when the child is reaped, with what it has used counted."""
        share, charged = self._driver.share, ExitStack()
        charged.enter_context(share.process(child.pid, child.inherited_bytes))
        charged.enter_context(self._driver.allowance.process(child.cpu_seconds))
        return charged
