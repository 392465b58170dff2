"""A run is the fold of its inputs: those of a real one, given to a new core, bring about the same."""

from __future__ import annotations

import trio

from flowcage.host import RunOptions
from flowcage.host.run.core.commands import Emit, Finish, Tell
from flowcage.host.run.core.fold import Core
from flowcage.host.run.options import Caller
from flowcage.host.run.run import Run
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.children import Launcher
from ..host.runs import Agent, Inputs, Listener, busy

SOURCE = """phase('one', {detail: 'd'});
const all = await parallel([1, 2, 3].map((n) => () => agent('a' + n, {retry: {maxAttempts: 2}})));
await SW.extra.sleep(1);
const kid = await workflow('kid', {n: 1});
log(budget.spent());
export default [all, kid, await agent('b', {schema: {type: 'string'}})];"""


async def kid(caller: Caller, request: WorkflowRequest) -> Json:
    return await caller.run_child("export default agent('kid ' + args.n)", "kid.js", request.args)


def test_the_inputs_of_a_real_run_bring_about_the_same_in_a_new_core() -> None:
    launcher, listener = Launcher(), Listener()
    journal = Inputs()
    agent = Agent("x", busy(), "y", "z", "kid", 5, "text")
    options = RunOptions(
        agent=agent,
        workflow=kid,
        launcher=launcher,
        timeout_seconds=120,
        listener=listener,
        budget_tokens=500,
    )
    made: list[Run] = []

    async def main() -> Json:
        made.append(Run(options, "w.js", journal=journal))
        return (await made[0].execute(SOURCE, {})).result

    result = trio.run(main)
    launcher.assert_nothing_left()

    again = Core(made[0].driver.core.tree.rules)
    commands = [command for now, given in journal.taken for command in again.step(now, given)]
    assert [each.result for each in commands if isinstance(each, Finish) and each.path == ""] == [result]
    told = [resolve.id for each in commands if isinstance(each, Tell) for resolve in each.resolves]
    assert sorted(told) == ["1", "1", "2", "3", "4", "5", "6"]  # the child workflow's, too
    assert again.tree.totals == made[0].driver.core.tree.totals
    assert again.tree.phases == made[0].driver.core.tree.phases
    emitted = [each.type for each in commands if isinstance(each, Emit)]
    of_the_driver = ("started", "ended", "child_started", "child_ended", "agent_started")
    assert emitted == [event["type"] for event in listener.heard if event["type"] not in of_the_driver]
