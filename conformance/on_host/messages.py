"""The messages of a host in a run without faults."""

from __future__ import annotations

import json
from collections.abc import Callable

from flowcage.conformance.check import Deviation, expect, shown
from flowcage.conformance.fake_child import SLEEP_MS
from flowcage.conformance.hosts import OLDER_CHILD, Played
from flowcage.conformance.on_host.registry import HOST_CHECKS
from flowcage.protocol import envelope, state, strictjson
from flowcage.protocol.messages import METHODS
from flowcage.schemas import validate

check = HOST_CHECKS.theme("host-messages", "protocol.md: Lifecycle")


def each_line(played: Played, what: str, holds: Callable[[dict[str, object]], bool]) -> None:
    """Every message that the host sent must satisfy `holds`."""
    for message in played.messages:
        if not holds(message):
            raise Deviation(f"{what}; saw {shown(message)}")


@check.must("Every line is one JSON object.", "good")
def lines_are_json(played: Played) -> None:
    for line in played.lines:
        try:
            value = strictjson.loads(line.encode())
        except (ValueError, RecursionError) as error:
            raise Deviation(f"a line is not JSON ({error}): {shown(line)}") from None
        expect("a line is an object", isinstance(value, dict), True)
    expect("the last line ends in a newline", [n.text for n in played.notes if n.event == "unfinished"], [])


@check.must('Every message has jsonrpc "2.0".', "good", id="json-rpc-2.0")
def json_rpc_2_0(played: Played) -> None:
    each_line(played, 'jsonrpc is "2.0"', lambda message: message.get("jsonrpc") == "2.0")


@check.must("Ids are strings or integers.", "good")
def ids(played: Played) -> None:
    each_line(played, "an id is a string or an integer", lambda m: "id" not in m or envelope.is_id(m["id"]))


@check.should("No id is used twice, so that a reply can be matched.", "good")
def ids_unique(played: Played) -> None:
    ids = [json.dumps(message["id"]) for message in played.messages if "id" in message]
    expect("ids that were used twice", sorted({one for one in ids if ids.count(one) > 1}), [])


@check.must("Only methods of the contract are called.", "good")
def known_methods(played: Played) -> None:
    each_line(played, "a method of the contract", lambda message: message.get("method") in METHODS)


@check.must("Params are an object, or left out.", "good")
def params_by_name(played: Played) -> None:
    each_line(played, "params by name", lambda message: isinstance(message.get("params", {}), dict))


@check.must("Params fit the published schema of their method.", "good")
def params_fit(played: Played) -> None:
    for message in played.messages:
        method, params = message.get("method"), message.get("params", {})
        if (
            method in METHODS
            and isinstance(params, dict)
            and (wrong := validate.params_error(method, params))
        ):
            raise Deviation(f"params of {method} do not fit {wrong.schema}: {wrong.path}: {wrong.message}")


@check.must("The first message is initialize.", "good")
def initialize_first(played: Played) -> None:
    expect("the first method", played.messages[0].get("method"), "initialize")


@check.must("initialize asks for a version that exists: 1.0.", "good", id="speaks-1.0")
def speaks_1_0(played: Played) -> None:
    expect(
        "protocolVersion", [params.get("protocolVersion") for params in played.sent("initialize")], ["1.0"]
    )


@check.should("initialize tells who the client is.", "good")
def names_itself(played: Played) -> None:
    expect("there is a client", all("client" in params for params in played.sent("initialize")), True)


@check.must("Messages come in an order that the state table allows.", "good")
def allowed_order(played: Played) -> None:
    now = state.NEW
    for message in played.messages:
        method = str(message.get("method"))
        if method in METHODS and (reason := state.why_not(now, method)) is not None:
            raise Deviation(reason)
        now = state.TRANSITIONS.get((now, method), now)


@check.must("start, or run, carries the source of the workflow as it stands in the file.", "good")
def source_arrives(played: Played) -> None:
    from flowcage.conformance.hosts import SOURCE

    expect("the sources", [params.get("source") for _, params in played.began], [SOURCE])


@check.must("run and advance are sent only to a child that names them.", OLDER_CHILD)
def named_methods_only(played: Played) -> None:
    expect("messages of run and advance", played.sent("run") + played.sent("advance"), [])


@check.must("Only ids that were handed out are resolved.", "good")
def resolves_what_was_asked(played: Played) -> None:
    unknown = [identifier for _, identifier in played.settled if identifier not in ("1", "2")]
    expect("ids that nobody asked with", unknown, [])


@check.must("Each request is resolved once.", "good")
def resolves_once(played: Played) -> None:
    ids = [identifier for _, identifier in played.settled]
    expect("ids that were resolved twice", [one for one in ("1", "2") if ids.count(one) > 1], [])


@check.must("Every request that the workflow waits for is resolved.", "good")
def resolves_all(played: Played) -> None:
    ids = {identifier for _, identifier in played.settled}
    expect("ids that were not resolved", [one for one in ("1", "2") if one not in ids], [])


@check.must("A sleep is not resolved before its time.", "good")
def sleeps(played: Played) -> None:
    started = [at for at, _ in played.began]
    resolved = [at for at, identifier in played.settled if identifier == "2"]
    if started and resolved and resolved[0] - started[0] < 0.95 * SLEEP_MS / 1000:
        took = 1000 * (resolved[0] - started[0])
        raise Deviation(f"a sleep of {SLEEP_MS} ms was over after {took:.0f} ms")


@check.must("Nothing is sent after shutdown.", "good")
def nothing_after_shutdown(played: Played) -> None:
    expect("lines after shutdown", [n.text for n in played.notes if n.event == "after shutdown"], [])


@check.must("One child is started for one run.", "good")
def one_child_a_run(played: Played) -> None:
    expect("children started", sum(note.event == "began" for note in played.notes), 1)
