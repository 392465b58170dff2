"""The messages of a client in a run without faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flowcage.conformance.check import Deviation, expect, shown
from flowcage.conformance.contract import OF_HOST
from flowcage.conformance.hosts import Played
from flowcage.conformance.on_client.registry import CLIENT_CHECKS, SOURCE
from flowcage.protocol import envelope, strictjson
from flowcage.protocol.errors import METHOD_NOT_FOUND
from flowcage.schemas.host import METHODS

check = CLIENT_CHECKS.theme("client-messages", "host-protocol.md: The connection")

OF_CLIENT = {name for name, method in METHODS.items() if method.sender == "client"}
ANSWERED = {name for name in OF_CLIENT if METHODS[name].is_answered}


def each_line(played: Played, what: str, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Every message that the client sent must satisfy `holds`."""
    for message in played.messages:
        if not holds(message):
            raise Deviation(f"{what}; saw {shown(message)}")


def requests(played: Played) -> list[dict[str, Any]]:
    """The requests and notifications that the client sent."""
    return [message for message in played.messages if "method" in message]


def answers(played: Played) -> list[dict[str, Any]]:
    """The answers to the host's requests."""
    return [message for message in played.messages if "method" not in message]


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


@check.should("No id of a request is used twice, so that an answer can be matched.", "good")
def ids_unique(played: Played) -> None:
    used = [json.dumps(message["id"]) for message in requests(played) if "id" in message]
    expect("ids that were used twice", sorted({one for one in used if used.count(one) > 1}), [])


@check.must("Only methods of the contract are called; requests have an id.", "good")
def known_methods(played: Played) -> None:
    each_line(played, "a method of a client", lambda m: "method" not in m or m["method"] in OF_CLIENT)
    for message in requests(played):
        if message["method"] in ANSWERED and "id" not in message:
            raise Deviation(f"a request has an id; saw {shown(message)}")


@check.must("Params are an object, or left out.", "good")
def params_by_name(played: Played) -> None:
    each_line(played, "params by name", lambda message: isinstance(message.get("params", {}), dict))


@check.must("Params fit the published schema of their method.", "good")
def params_fit(played: Played) -> None:
    for message in requests(played):
        method, params = message["method"], message.get("params", {})
        if method not in OF_CLIENT or not isinstance(params, dict):
            continue
        if wrong := OF_HOST.violation(f"{method}.params", params):
            raise Deviation(f"params of {method} do not fit {wrong.schema}: {wrong.path}: {wrong.message}")


@check.must("The first message is initialize, and there is one.", "good")
def initialize_first(played: Played) -> None:
    methods = [message["method"] for message in requests(played)]
    expect("the first method", methods[0], "initialize")
    expect("how many there are", methods.count("initialize"), 1)


@check.must("initialize asks for a version that exists: 1.0.", "good", id="speaks-1.0")
def speaks_1_0(played: Played) -> None:
    versions = [params.get("protocolVersion") for params in played.sent("initialize")]
    expect("protocolVersion", versions, ["1.0"])


@check.should("initialize tells what the client is.", "good")
def names_itself(played: Played) -> None:
    expect("there is clientInfo", all("clientInfo" in params for params in played.sent("initialize")), True)


@check.must("handlers names agent, where the client answers agent.ask.", "good")
def names_its_handlers(played: Played) -> None:
    named = [params.get("handlers", []) for params in played.sent("initialize")]
    expect("agent is named", all("agent" in handlers for handlers in named), True)


@check.must("run.start carries the source of the workflow as it stands in the file.", "good")
def source_arrives(played: Played) -> None:
    expect("the sources", [params.get("source") for params in played.sent("run.start")], [SOURCE])


@check.must("The run is waited for, by the id that run.start was answered with.", "good")
def waits_for_the_run(played: Played) -> None:
    started = [params.get("runId", "conformance-run") for params in played.sent("run.start")]
    waited = {params.get("runId") for params in played.sent("run.wait")}
    expect("runs that were waited for", sorted(map(str, waited)), started)


@check.must("agent.ask is answered once, by a result that fits its schema.", "good")
def answers_the_agent(played: Played) -> None:
    told = answers(played)
    expect("ids of the answers", [message.get("id") for message in told], [1])
    expect("there is a result", ["result" in message for message in told], [True])
    if wrong := OF_HOST.violation("agent.ask.result", told[0]["result"]):
        raise Deviation(f"the result does not fit {wrong.schema}: {wrong.path}: {wrong.message}")
    expect("value or text", bool({"value", "text"} & told[0]["result"].keys()), True)


@check.must("Each request is answered by its own id, however many come at once.", "at-once")
def answers_each(played: Played) -> None:
    seen = sorted(str(message.get("id")) for message in answers(played))
    expect("ids of the answers", seen, sorted(["1", *(str(1000 + number) for number in range(1, 8))]))


@check.must("A request of a method that the client does not know is answered by -32601.", "unknown-request")
def unknown_request(played: Played) -> None:
    codes = [message.get("error", {}).get("code") for message in answers(played) if message.get("id") == 1]
    expect("the error's code", codes, [-32601])
    assert OF_HOST.codes[METHOD_NOT_FOUND] == -32601


@check.must("One host is started for one run.", "good")
def one_host_a_run(played: Played) -> None:
    expect("hosts started", sum(note.event == "began" for note in played.notes), 1)


@check.should("The client says shutdown, or closes stdin, before it is gone.", "good")
def leaves(played: Played) -> None:
    left = [note.text for note in played.notes if note.event == "left"]
    expect("the host was left so", bool(left) and set(left) <= {"shutdown", "stdin ended"}, True)
