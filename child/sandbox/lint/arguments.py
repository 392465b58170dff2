"""Arguments of the helpers that they refuse, or that have no effect."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.advice import near_match
from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.calls import arguments
from flowcage.child.sandbox.reading.literals import UNKNOWN
from flowcage.child.sandbox.reading.syntax import FUNCTIONS, Syntax, bare

# The options that flowcage knows. A test compares them with the prelude's.
OPTIONS = ["label", "phase", "schema", "model", "provider", "effort", "agentType", "retry", "timeoutMs",
           "isolation", "handle", "continue"]  # fmt: skip
_OF_PROMISES = frozenset({"Promise.all", "Promise.allSettled", "Promise.race", "Promise.any"})
_RANGES = {"maxAttempts": (1, 10), "backoffMs": (0, None)}
_AS_FUNCTION = "pass functions: `() => agent(…)`"
# What surely is no string. `undefined` and null have a rule of their own at run time, and the same one here.
_NO_STRINGS = frozenset({"object", "array", "number", "true", "false", "null", "undefined"}) | FUNCTIONS
_NO_FUNCTIONS = frozenset({"object", "array", "number", "string", "template_string", "true", "false"})


def tasks(subject: Subject) -> Iterator[Found]:
    """What `parallel` is given in place of functions."""
    for call, given in subject.calls.of("parallel"):
        if not given:
            yield _rejected(
                subject, call, call, "parallel() needs an array of functions", "write `parallel([() => …])`"
            )
            continue
        first = given[0]
        name = _called(subject, first)
        if name is not None:
            text = f"parallel() is given a call of {name}, not an array of functions"
            yield _rejected(subject, call, first, text, "write `parallel([() => agent(…), () => agent(…)])`")
        for item in _items(first):
            if (name := _called(subject, item)) is not None:
                yield _rejected(
                    subject, call, item, f"parallel() is given a call of {name}, not a function", _AS_FUNCTION
                )
            elif item.type in _NO_FUNCTIONS:
                yield _rejected(
                    subject, call, item, f"parallel() is given {subject.shown(item)}", _AS_FUNCTION
                )
        if (inner := _mapped(subject, first)) is not None:
            yield _rejected(
                subject,
                call,
                inner,
                "parallel() is given promises, not functions",
                "write `parallel(items.map((item) => () => agent(…)))`",
            )


def stages(subject: Subject) -> Iterator[Found]:
    """What `pipeline` is given in place of its stages."""
    for call, given in subject.calls.of("pipeline"):
        if not given:
            yield _rejected(
                subject,
                call,
                call,
                "pipeline() needs an array of items",
                "write `pipeline(items, (item) => …)`",
            )
            continue
        if bare(given[0]) is not None and given[0].type in FUNCTIONS:
            yield _rejected(
                subject,
                call,
                given[0],
                "the first argument of pipeline() is the array of items",
                "write `pipeline(items, …)`",
            )
        for stage in given[1:]:
            name = _called(subject, stage)
            if name is not None or stage.type in _NO_FUNCTIONS:
                what = f"a call of {name}" if name is not None else subject.shown(stage)
                yield _rejected(
                    subject,
                    call,
                    stage,
                    f"a stage of pipeline() is {what}, not a function",
                    "write `(item) => agent(…)`",
                )


def functions_for_promises(subject: Subject) -> Iterator[Found]:
    """``Promise.all`` of functions, which it does not call."""
    for call in subject.calls.all:
        callee, given = call["function"], arguments(call)
        name = "" if callee is None else subject.tree.text(callee)
        if name not in _OF_PROMISES or not given or not _is_of_global(subject, callee):
            continue
        listed = _items(given[0])
        function = next((item for item in listed if item.type in FUNCTIONS), None)
        function = function or _mapped_functions(subject, given[0])
        if function is not None:
            yield Found(
                "functions_not_called",
                function,
                f"{name}() does not call functions",
                "use parallel([…]), or call them",
            )


def texts(subject: Subject) -> Iterator[Found]:
    """Prompts and names of phases that are no strings."""
    for call, given in subject.calls.of("agent", "phase", "ask"):
        helper, first = subject.calls.helper(call), bare(given[0]) if given else None
        what = {"agent": "a prompt", "ask": "a question"}.get(helper or "", "a name")
        if first is None:
            yield _refused(subject, call, f"{helper}() needs {what}, a string", "")
        elif (subject.literals.resolved(first) or first).type in _NO_STRINGS:
            yield _refused(
                subject, first, f"{helper}() needs {what}, a string, not {subject.shown(first)}", ""
            )


def options(subject: Subject) -> Iterator[Found]:
    """Options of `agent` that are unknown, out of range, or of another kind."""
    for call, given in subject.calls.of("agent"):
        if len(given) < 2:
            continue
        members, _ = subject.literals.members(given[1])
        for name, (key, value) in members.items():
            if name not in OPTIONS and (near := near_match(name, OPTIONS)):
                yield Found(
                    "unknown_option",
                    key,
                    f"agent() has no option {subject.shown(key)}; it is passed on",
                    f"did you mean {near}?",
                )
            yield from _out_of_range(subject, call, name, value)


def _out_of_range(subject: Subject, call: Syntax, name: str, value: Syntax) -> Iterator[Found]:
    if name == "isolation":
        given = subject.literals.value(value)
        if isinstance(given, str) and given != "worktree":
            yield Found("wrong_argument", value, "the only isolation that agents know is 'worktree'")
    elif name == "timeoutMs":
        yield from _number(subject, call, name, value, 1, None)
    elif name == "retry":
        members, _ = subject.literals.members(value)
        for inner, (key, number) in members.items():
            if inner in _RANGES:
                yield from _number(subject, call, f"retry.{inner}", number, *_RANGES[inner])
            else:
                yield _rejected(
                    subject,
                    call,
                    key,
                    f"retry has no member {subject.shown(key)}",
                    "it has maxAttempts and backoffMs",
                )


def _number(
    subject: Subject, call: Syntax, name: str, value: Syntax, least: int, most: int | None
) -> Iterator[Found]:
    given = subject.literals.value(value)
    if given is UNKNOWN or given is None:
        return
    is_right = isinstance(given, float) and given >= least and (most is None or given <= most)
    if not is_right:
        upto = f" to {most}" if most is not None else ""
        yield _rejected(subject, call, value, f"{name} must be a number from {least}{upto}", "")


def _refused(subject: Subject, node: Syntax, message: str, hint: str) -> Found:
    return Found("wrong_argument", node, message, hint, subject.failure_at(node))


def _rejected(subject: Subject, call: Syntax, node: Syntax, message: str, hint: str) -> Found:
    """What makes a call's promise reject, which somebody may catch."""
    return Found("wrong_argument", node, message, hint, subject.rejection_at(call))


def _is_of_global(subject: Subject, member: Syntax | None) -> bool:
    return member is not None and subject.scopes.is_global(member["object"], "Promise")


def _called(subject: Subject, node: Syntax) -> str | None:
    """The function that an argument calls for a promise: itself, not by a name, and without awaiting it."""
    return subject.calls.promised(node)


def _items(node: Syntax) -> list[Syntax]:
    found = bare(node)
    return found.children if found is not None and found.type == "array" else []


def _callback(subject: Subject, node: Syntax) -> Syntax | None:
    """The function that is written in ``….map(function)``."""
    call = bare(node)
    callee = call["function"] if call is not None and call.type == "call_expression" else None
    method = callee["property"] if callee is not None and callee.type == "member_expression" else None
    if call is None or method is None or subject.tree.text(method) != "map":
        return None
    function = next(iter(arguments(call)), None)
    return function if function is not None and function.type in FUNCTIONS else None


def _mapped(subject: Subject, node: Syntax) -> Syntax | None:
    """The part of ``….map(…)`` that gives promises; None where it gives none."""
    function = _callback(subject, node)
    if function is None:
        return None
    if function.has("async"):
        return function
    body = bare(function["body"])
    return body if body is not None and subject.calls.promised(body) is not None else None


def _mapped_functions(subject: Subject, node: Syntax) -> Syntax | None:
    function = _callback(subject, node)
    body = bare(function["body"]) if function is not None else None
    return body if body is not None and body.type in FUNCTIONS else None
