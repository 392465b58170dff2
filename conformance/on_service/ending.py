"""shutdown, the end of stdin, signals; and what is left of children."""

from __future__ import annotations

import json
import os
import signal

from flowcage.conformance.check import Deviation, expect
from flowcage.conformance.conversation import line
from flowcage.conformance.on_service.registry import SERVICE_CHECKS
from flowcage.conformance.service.peer import VERSION, ServicePeer
from flowcage.conformance.service.processes import Descendants

check = SERVICE_CHECKS.theme("service-ending", "host-protocol.md: A client that is gone")

WAITS = "export default await agent('for ever');"


@check.must("shutdown is answered with {}; then the host exits with status 0.")
def shutdown(service: ServicePeer) -> None:
    service.initialize()
    service.request("shutdown")
    service.expect_exit()


@check.must("Nothing is sent after the answer to shutdown.")
def nothing_after_shutdown(service: ServicePeer) -> None:
    service.initialize()
    service.send(line("shutdown", None, "last") + line("run.list", {}, "late"))
    service.result_for("last", "shutdown")
    service.expect_exit()


@check.must("shutdown ends the runs of the client, and their children.")
def shutdown_with_runs(service: ServicePeer) -> None:
    service.start(WAITS)
    service.asked()
    left = Descendants(service.program.pid)
    service.request("shutdown")
    service.program.read_to_end()
    left.expect_gone(service.program.timeout)


@check.must("The end of stdin ends the host with status 0.")
def eof(service: ServicePeer) -> None:
    service.initialize()
    service.close_stdin()
    service.expect_exit()


@check.must("The end of stdin before initialize does so, too.")
def eof_at_once(service: ServicePeer) -> None:
    service.close_stdin()
    service.expect_exit()


@check.must("With onDisconnect cancel the end of stdin ends the client's runs, and their children.")
def eof_with_runs(service: ServicePeer) -> None:
    service.start(WAITS)
    service.asked()
    left = Descendants(service.program.pid)
    service.close_stdin()
    service.program.read_to_end()
    expect("the exit status", service.program.wait(), 0)
    left.expect_gone(service.program.timeout)


@check.must("That holds for a run that was asked for right before the end of stdin, too.")
def eof_while_starting(service: ServicePeer) -> None:
    service.send_request("initialize", {"protocolVersion": VERSION}, "hello")
    source = "await SW.extra.sleep(1e8); export default 1;"
    service.send_request("run.start", {"source": source, "runId": "begun"}, "start")
    service.close_stdin()
    service.program.read_to_end()
    expect("the exit status", service.program.wait(), 0)


@check.must("Half a line before the end of stdin is dropped.")
def half_a_line(service: ServicePeer) -> None:
    service.initialize()
    service.send(line("run.list", {}, "half").removesuffix(b"\n"))
    service.close_stdin()
    service.expect_exit()


@check.must("With onDisconnect continue runs go on after the end of stdin, and run.wait has its answer.")
def eof_goes_on(service: ServicePeer) -> None:
    params = {"protocolVersion": VERSION, "onDisconnect": "continue"}
    service.send_request("initialize", params, "hello")
    service.send_request(
        "run.start", {"source": "await SW.extra.sleep(2000); export default 8;", "runId": "on"}, "start"
    )
    service.send_request("run.wait", {"runId": "on"}, "wait")
    service.close_stdin()
    service.result_for("hello", "initialize")
    service.result_for("start", "run.start")
    expect("the result", service.outcome_for("wait", "on").get("result"), 8)
    service.expect_exit()


@check.must("SIGTERM ends the host and all children; open requests are answered or dropped.")
def terminated(service: ServicePeer) -> None:
    run_id = service.start(WAITS)
    service.wait(run_id)
    service.asked()
    left = Descendants(service.program.pid)
    os.kill(service.program.pid, signal.SIGTERM)
    for data in service.program.read_to_end().splitlines():
        json.loads(data)
    if service.program.wait() is None:
        raise Deviation(f"it did not exit within {service.program.timeout:g} s of SIGTERM")
    left.expect_gone(service.program.timeout)


@check.should("Nothing is said on stderr in a run without trouble.")
def quiet_stderr(service: ServicePeer) -> None:
    service.expect_result(1, "export default 1;")
    service.request("shutdown")
    service.expect_exit()
    expect("stderr", service.program.stderr.decode("utf-8", "replace"), "")
