"""Limits hold, and the child survives."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("limits", "protocol.md: Limits")

STEP_MS = 200


def survives(child: ChildPeer) -> None:
    """After a failure of the run it still answers, and leaves in order."""
    child.request("shutdown")
    child.expect_exit()


@check.must("step-timeout", "JavaScript that runs longer than stepTimeoutMs ends as timeout.")
def _(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.expect_failure("timeout", "for (;;);\nexport default 1;")


@check.must("step-timeout-in-jobs", "Endless promise jobs end as timeout too.")
def _(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.expect_failure(
        "timeout", "const again = () => Promise.resolve().then(again);\nawait again();\nexport default 1;"
    )


@check.must("step-timeout-uncatchable", "No try, and no parallel, catches the timeout.")
def _(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.expect_failure("timeout", "export default await parallel([() => { try { for (;;); } catch {} }]);")


@check.must(
    "step-timeout-renewed", "stepTimeoutMs counts from each message: waiting for the host costs nothing."
)
def _(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.start('await agent("slow");\nexport default "in time";')
    child.drain()
    child.program.wait(2 * STEP_MS / 1000)
    child.resolve("1", None)
    expect("the result", child.result(), "in time")


@check.must("memory", "A heap over memoryBytes ends as memory.")
def _(child: ChildPeer) -> None:
    child.initialize(memoryBytes=16 << 20)
    child.expect_failure(
        "memory", "const a = [];\nfor (;;) a.push(new Array(10000).fill(0));\nexport default 1;"
    )


@check.must("stack", "Endless recursion ends as stack.")
def _(child: ChildPeer) -> None:
    child.expect_failure("stack", "function f() { return f() + 1; }\nexport default f();")


@check.must("queued-bytes", "Calls beyond maxQueuedBytes between two messages end as limit.")
def _(child: ChildPeer) -> None:
    child.initialize(maxQueuedBytes=20_000)
    child.start('for (let i = 0; i < 1000; i++) log("x".repeat(1000));\nexport default 1;')
    child.send_request("drain", {}, "queued")  # what was queued before may be handed out first
    if "result" in child.reply_to("queued", "drain"):
        child.refused("limit", "drain")


@check.must("pending-requests", "Requests beyond maxPendingRequests end as limit.")
def _(child: ChildPeer) -> None:
    child.initialize(maxPendingRequests=3)
    child.start('for (let i = 0; i < 10; i++) agent("many");\nexport default 1;')
    child.send_request("drain", {}, "pending")
    if "result" in child.reply_to("pending", "drain"):
        child.refused("limit", "drain")


@check.must("sleep", "sleep beyond maxSleepMs throws; the run goes on.")
def _(child: ChildPeer) -> None:
    child.initialize(maxSleepMs=1000)
    child.expect_result(
        "caught", 'export default await (async () => SW.extra.sleep(1001))().catch(() => "caught");'
    )


@check.must("reply-too-long", "A reply that would not fit maxMessageBytes ends the run as limit.")
def _(child: ChildPeer) -> None:
    child.initialize(maxMessageBytes=5000)
    child.expect_failure("limit", 'export default "long".repeat(5000);')


@check.must("survives-timeout", "After a timeout the child answers, and leaves with status 0.")
def _(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.start("for (;;);\nexport default 2;")
    child.send_request("drain", {}, "over")
    child.reply_to("over", "drain")
    survives(child)


@check.must("survives-memory", "After memory the child answers, and leaves with status 0.")
def _(child: ChildPeer) -> None:
    child.initialize(memoryBytes=16 << 20)
    child.start('let s = "x";\nfor (;;) s += s + "y";\nexport default 1;')
    child.send_request("drain", {}, "over")
    child.reply_to("over", "drain")
    survives(child)
