"""shutdown, and the end of stdin."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer, line, notification

check = CHILD_CHECKS.theme("ending", "protocol.md: The process")


@check.must("shutdown", "shutdown is answered with {}; then the child exits with status 0.")
def _(child: ChildPeer) -> None:
    child.initialize()
    child.request("shutdown")
    child.expect_exit()


@check.must("shutdown-first", "shutdown may come before initialize.")
def _(child: ChildPeer) -> None:
    child.request("shutdown")
    child.expect_exit()


@check.must("nothing-after-shutdown", "What stands after shutdown is not answered.")
def _(child: ChildPeer) -> None:
    child.send(line("shutdown", None, "last") + line("conformance/after", None, "late"))
    child.result_for("last", "shutdown")
    child.expect_exit()


@check.must("shutdown-notification", "shutdown as a notification ends the child in silence.")
def _(child: ChildPeer) -> None:
    child.send(notification("shutdown", {}))
    child.expect_exit()


@check.must("eof", "The end of stdin ends the child with status 0.")
def _(child: ChildPeer) -> None:
    child.close_stdin()
    child.expect_exit()


@check.must("eof-while-waiting", "The end of stdin ends a child whose workflow waits, too.")
def _(child: ChildPeer) -> None:
    child.start('export default await agent("for ever");')
    child.drain()
    child.close_stdin()
    child.expect_exit()


@check.must("eof-after-lines", "Complete lines before the end of stdin are answered.")
def _(child: ChildPeer) -> None:
    child.send(line("conformance/one", None, "one") + line("conformance/two", None, "two"))
    child.close_stdin()
    child.error_for("method_not_found", "one")
    child.error_for("method_not_found", "two")
    child.expect_exit()


@check.must("half-a-line", "Half a line before the end of stdin is dropped.")
def _(child: ChildPeer) -> None:
    child.send(line("conformance/half", None, "half").removesuffix(b"\n"))
    child.close_stdin()
    child.expect_exit()


@check.should("quiet-stderr", "Nothing is said on stderr in a run without trouble.")
def _(child: ChildPeer) -> None:
    child.expect_result(1, "export default 1; // quietly")
    child.request("shutdown")
    child.expect_exit()
    expect("stderr", child.program.stderr.decode("utf-8", "replace"), "")
