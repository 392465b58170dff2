"""Limits: each ends the run with its kind, and the child goes on serving."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("limits", "protocol.md: Limits")

STEP_MS = 200


def still_exits_cleanly(child: ChildPeer) -> None:
    """The child must still answer `shutdown`, and exit with status 0."""
    child.request("shutdown")
    child.expect_exit()


@check.must("JavaScript that runs longer than stepTimeoutMs ends as timeout.")
def step_timeout(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.expect_failure("timeout", "for (;;);\nexport default 1;")


@check.must("Endless promise jobs end as timeout too.")
def step_timeout_in_jobs(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.expect_failure(
        "timeout", "const again = () => Promise.resolve().then(again);\nawait again();\nexport default 1;"
    )


@check.must("No try, and no parallel, catches the timeout.")
def step_timeout_uncatchable(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.expect_failure("timeout", "export default await parallel([() => { try { for (;;); } catch {} }]);")


@check.must("stepTimeoutMs counts from each message: waiting for the host costs nothing.")
def step_timeout_renewed(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.start('await agent("slow");\nexport default "in time";')
    child.drain()
    child.program.wait(2 * STEP_MS / 1000)
    child.resolve("1", None)
    expect("the result", child.result(), "in time")


@check.must("A heap over memoryBytes ends as memory.")
def memory(child: ChildPeer) -> None:
    child.initialize(memoryBytes=16 << 20)
    child.expect_failure(
        "memory", "const a = [];\nfor (;;) a.push(new Array(10000).fill(0));\nexport default 1;"
    )


@check.must("Endless recursion ends as stack.")
def stack(child: ChildPeer) -> None:
    child.expect_failure("stack", "function f() { return f() + 1; }\nexport default f();")


@check.must("Calls beyond maxQueuedBytes between two messages end as limit.")
def queued_bytes(child: ChildPeer) -> None:
    child.initialize(maxQueuedBytes=20_000)
    child.start('for (let i = 0; i < 1000; i++) log("x".repeat(1000));\nexport default 1;')
    child.send_request("drain", {}, "queued")  # what was queued before may be handed out first
    if "result" in child.reply_to("queued", "drain"):
        child.refused("limit", "drain")


@check.must("Requests beyond maxPendingRequests end as limit.")
def pending_requests(child: ChildPeer) -> None:
    child.initialize(maxPendingRequests=3)
    child.start('for (let i = 0; i < 10; i++) agent("many");\nexport default 1;')
    child.send_request("drain", {}, "pending")
    if "result" in child.reply_to("pending", "drain"):
        child.refused("limit", "drain")


@check.must("sleep beyond maxSleepMs throws; the run goes on.")
def sleep(child: ChildPeer) -> None:
    child.initialize(maxSleepMs=1000)
    child.expect_result(
        "caught", 'export default await (async () => SW.extra.sleep(1001))().catch(() => "caught");'
    )


@check.must("A reply that would not fit maxMessageBytes ends the run as limit.")
def reply_too_long(child: ChildPeer) -> None:
    child.initialize(maxMessageBytes=5000)
    child.expect_failure("limit", 'export default "long".repeat(5000);')


@check.must("After a timeout the child answers, and leaves with status 0.")
def survives_timeout(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=STEP_MS)
    child.start("for (;;);\nexport default 2;")
    child.send_request("drain", {}, "over")
    child.reply_to("over", "drain")
    still_exits_cleanly(child)


@check.must("After memory the child answers, and leaves with status 0.")
def survives_memory(child: ChildPeer) -> None:
    child.initialize(memoryBytes=16 << 20)
    child.start('let s = "x";\nfor (;;) s += s + "y";\nexport default 1;')
    child.send_request("drain", {}, "over")
    child.reply_to("over", "drain")
    still_exits_cleanly(child)
