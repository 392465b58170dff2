"""shutdown, and the end of stdin."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.conversation import line, notification_line
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("ending", "protocol.md: The process")


@check.must("shutdown is answered with {}; then the child exits with status 0.")
def shutdown(child: ChildPeer) -> None:
    child.initialize()
    child.request("shutdown")
    child.expect_exit()


@check.must("shutdown may come before initialize.")
def shutdown_first(child: ChildPeer) -> None:
    child.request("shutdown")
    child.expect_exit()


@check.must("What stands after shutdown is not answered.")
def nothing_after_shutdown(child: ChildPeer) -> None:
    child.send(line("shutdown", None, "last") + line("conformance/after", None, "late"))
    child.result_for("last", "shutdown")
    child.expect_exit()


@check.must("shutdown as a notification ends the child in silence.")
def shutdown_notification(child: ChildPeer) -> None:
    child.send(notification_line("shutdown", {}))
    child.expect_exit()


@check.must("The end of stdin ends the child with status 0.")
def eof(child: ChildPeer) -> None:
    child.close_stdin()
    child.expect_exit()


@check.must("The end of stdin ends a child whose workflow waits, too.")
def eof_while_waiting(child: ChildPeer) -> None:
    child.start('export default await agent("for ever");')
    child.drain()
    child.close_stdin()
    child.expect_exit()


@check.must("Complete lines before the end of stdin are answered.")
def eof_after_lines(child: ChildPeer) -> None:
    child.send(line("conformance/one", None, "one") + line("conformance/two", None, "two"))
    child.close_stdin()
    child.error_for("method_not_found", "one")
    child.error_for("method_not_found", "two")
    child.expect_exit()


@check.must("Half a line before the end of stdin is dropped.")
def half_a_line(child: ChildPeer) -> None:
    child.send(line("conformance/half", None, "half").removesuffix(b"\n"))
    child.close_stdin()
    child.expect_exit()


@check.must("Half a line before the end of stdin is dropped in a run, too.")
def half_a_line_in_a_run(child: ChildPeer) -> None:
    child.start('export default await agent("half");')
    child.send(line("conformance/half", None, "half").removesuffix(b"\n"))
    child.close_stdin()
    child.expect_exit()


@check.should("Nothing is said on stderr in a run without trouble.")
def quiet_stderr(child: ChildPeer) -> None:
    child.expect_result(1, "export default 1; // quietly")
    child.request("shutdown")
    child.expect_exit()
    expect("stderr", child.program.stderr.decode("utf-8", "replace"), "")
