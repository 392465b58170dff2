"""The layers of isolation that a child reports."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from flowcage.conformance.check import Deviation, expect, shown
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("isolation", "protocol.md: Lifecycle")

# Fields of /proc/PID/status (proc(5)) with the value that a process has where this layer is applied.
KERNEL_SAYS = {
    "seccomp": ("Seccomp", "2"),
    "no_new_privs": ("NoNewPrivs", "1"),
    "capabilities": ("CapEff", "0" * 16),
}


def layers_of(child: ChildPeer, level: str) -> dict[str, dict[str, object]]:
    """The layers that a child reports for this level."""
    result = child.request("initialize", protocolVersion="1.0", isolation=level)
    layers: dict[str, dict[str, object]] = result["isolation"]
    return layers


@check.must("none applies no layer, and says so of each.")
def none_applies_nothing(child: ChildPeer) -> None:
    applied = [name for name, layer in layers_of(child, "none").items() if layer["applied"]]
    expect("layers that are applied", applied, [])


@check.must("best_effort never refuses; it tells of each layer whether it is applied.")
def best_effort_goes_on(child: ChildPeer) -> None:
    layers = layers_of(child, "best_effort")
    expect("it tells of layers", bool(layers), True)


@check.should("Of a layer that is not applied, detail says why not.")
def says_why_not(child: ChildPeer) -> None:
    layers = layers_of(child, "none")
    silent = [name for name, layer in layers.items() if not layer["applied"] and not layer["detail"]]
    expect("layers without a reason", silent, [])


@check.must("strict is isolation_unavailable with the missing layers, or at least one layer holds.")
def strict_or_refused(child: ChildPeer) -> None:
    refuses_or_applies(child, isolation="strict")


@check.must("On Linux isolation that is left out is strict.")
def strict_by_default(child: ChildPeer) -> None:
    if sys.platform == "linux":
        refuses_or_applies(child)


def refuses_or_applies(child: ChildPeer, **isolation: str) -> None:
    """The child must refuse, or apply a layer: strict must not be downgraded silently."""
    sent = child.send_request("initialize", {"protocolVersion": "1.0", **isolation})
    reply = child.reply_to(sent, "initialize")
    if "error" in reply:
        expect("the error's kind", reply["error"]["data"]["kind"], "isolation_unavailable")
        expect("it names the missing layers", bool(reply["error"]["data"]["layers"]), True)
    elif not any(layer["applied"] for layer in reply["result"]["isolation"].values()):
        raise Deviation(f"strict was granted, and no layer is applied: {shown(reply['result']['isolation'])}")


@check.must("A layer that is told to be applied is: on Linux the kernel must confirm it.")
def claims_are_true(child: ChildPeer) -> None:
    layers = layers_of(child, "best_effort")
    status = Path(f"/proc/{child.program.pid}/status")
    if sys.platform != "linux" or not status.exists():
        return
    found = dict(re.findall(r"^(\w+):\t(.*)$", status.read_text(), re.MULTILINE))
    for layer, (name, expected) in KERNEL_SAYS.items():
        if layers.get(layer, {}).get("applied"):
            expect(f"{name} of layer {layer} in {status}", found.get(name), expected)


@check.must("Another level is invalid_params at /isolation.")
def unknown_level(child: ChildPeer) -> None:
    data = child.refused("invalid_params", "initialize", protocolVersion="1.0", isolation="perfect")
    expect("data.path", data["path"], "/isolation")
