"""Promises that nothing awaits, and that are used as if they were what they resolve to."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.calls import arguments
from flowcage.child.sandbox.reading.syntax import Syntax, around, bare

_WITHOUT_RESULT = frozenset({"forEach"})
_OF_PROMISE = frozenset({"then", "catch", "finally"})
_BY_ALL = "write `await Promise.all(…)`"


def dropped_calls(subject: Subject) -> Iterator[Found]:
    """Calls whose promise is the value of a statement, and so nobody's."""
    for statement in subject.tree.of("expression_statement"):
        call = bare(statement.children[0]) if statement.children else None
        if call is None or _is_handled_by_then(subject, call):
            continue
        name = subject.calls.promised(call)
        if name is not None:
            hint = f"write `await {subject.shown(call)}`"
            yield Found("unawaited_call", call, f"nothing awaits this call of {name}", hint)


def dropped_by_for_each(subject: Subject) -> Iterator[Found]:
    """``forEach`` with a function that gives a promise."""
    for call in subject.calls.all:
        callee = call["function"]
        method = callee["property"] if callee is not None and callee.type == "member_expression" else None
        if method is None or subject.tree.text(method) not in _WITHOUT_RESULT:
            continue
        function = next(iter(arguments(call)), None)
        function = subject.calls.function_of(function) if function is not None else None
        if function is not None and _gives_promise(subject, function):
            yield Found(
                "unawaited_call",
                call,
                "forEach does not wait for the promises of its function",
                "write `for (const item of items) await …`, or parallel(items.map((item) => () => …))",
            )


def dropped_by_map(subject: Subject) -> Iterator[Found]:
    """``map`` with a function that gives promises, as a statement."""
    for statement in subject.tree.of("expression_statement"):
        call = bare(statement.children[0]) if statement.children else None
        if call is not None and call.type == "await_expression":  # of an array, which is no promise
            call = bare(call.children[-1]) if call.children else None
        if call is not None and is_map_of_promises(subject, call):
            yield Found(
                "unawaited_call",
                call,
                "nothing awaits the promises of this array",
                "write `await Promise.all(…)`, or `await parallel(items.map((item) => () => …))`",
            )


def uses_of_promises(subject: Subject) -> Iterator[Found]:
    """Promises that are used as their result, by a name or where they are made, or not at all."""
    for binding in subject.scopes.bindings:
        if binding.kind == "import" or (name := subject.calls.promised(binding.value)) is None:
            continue
        if not binding.uses:
            yield Found(
                "unawaited_call",
                binding.value or binding.node,
                f"nothing awaits this call of {name}",
                f"write `{binding.name} = await …`",
            )
        hint = f"write `await {binding.name}`, or `{binding.name} = await …` where it is called"
        for use in binding.uses:
            yield from _misused(subject, use, f"{binding.name} is a promise of {name}", hint)
    for call in subject.calls.all:
        if (name := subject.calls.promised(call)) is not None:
            yield from _misused(subject, call, f"this is a promise of {name}", "write `(await …)`")


def _misused(subject: Subject, use: Syntax, what: str, hint: str) -> Iterator[Found]:
    node = around(use)
    parent = node.parent
    if parent is None:
        return
    if parent.type == "member_expression" and node.field == "object":
        member = parent["property"]
        if member is not None and subject.tree.text(member) not in _OF_PROMISE and not _is_set(parent):
            yield Found("promise_used", use, f"{what} and has no .{subject.shown(member)}", hint)
    elif parent.type == "variable_declarator" and node.field == "value":
        pattern = parent["name"]
        if pattern is not None and pattern.type in ("array_pattern", "object_pattern"):
            yield Found("promise_used", use, f"{what} and has nothing to take apart", hint)
    elif (parent.type == "if_statement" and node.field == "condition") or (
        parent.type == "unary_expression" and parent.has("!")
    ):
        yield Found("promise_used", use, f"{what}, which is always true", hint)
    elif parent.type == "for_in_statement" and node.field == "right" and not parent.has("await"):
        yield Found("promise_used", use, f"{what} and cannot be iterated over", hint)
    elif _is_in_result(parent, node) and use.function is None:
        yield Found("promise_in_value", use, f"{what}, which the result cannot hold", hint)
    elif _is_logged(subject, parent):
        yield Found("promise_in_value", use, f"{what}, of which log() tells nothing", hint)


def arrays_of_promises(subject: Subject) -> Iterator[Found]:
    """``await`` of an array of promises, which waits for none, and such an array as the result."""
    for node in subject.tree.of("await_expression", "return_statement"):
        value = bare(node.children[-1]) if node.children else None
        holder = around(node).parent
        is_dropped = holder is not None and holder.type == "expression_statement"
        if value is None or is_dropped or not is_array_of_promises(subject, value):
            continue
        if node.type == "await_expression":
            text = "await of an array waits for none of its promises"
            yield Found("promise_used", value, text, _BY_ALL)
        elif node.function is None or subject.calls.is_main(node.function):
            yield Found("promise_in_value", value, "the result is an array of promises", _BY_ALL)


def _is_set(member: Syntax) -> bool:
    parent = member.parent
    return parent is not None and parent.type == "assignment_expression" and member.field == "left"


def is_array_of_promises(subject: Subject, node: Syntax) -> bool:
    """Whether an expression, or what a name stands for, is ``….map(…)`` that gives promises."""
    if node.type == "identifier":
        binding = subject.scopes.of(node)
        node = (bare(binding.value) if binding is not None else None) or node
    return is_map_of_promises(subject, node)


def is_map_of_promises(subject: Subject, node: Syntax) -> bool:
    """Whether an expression is ``….map(…)`` with a function that gives promises."""
    callee = node["function"] if node.type == "call_expression" else None
    method = callee["property"] if callee is not None and callee.type == "member_expression" else None
    if method is None or subject.tree.text(method) not in ("map", "flatMap"):
        return False
    function = next(iter(arguments(node)), None)
    function = subject.calls.function_of(function) if function is not None else None
    return function is not None and _gives_promise(subject, function)


def _gives_promise(subject: Subject, function: Syntax) -> bool:
    """Whether a function is async and asks somebody, or its value is a promise."""
    body = function["body"]
    if body is None:
        return False
    if function.has("async"):
        return any(each.type == "await_expression" for each in body.inside())
    return function.type == "arrow_function" and subject.calls.promised(body) is not None


def _is_handled_by_then(subject: Subject, call: Syntax) -> bool:
    """Whether a promise is gone on with by ``.then(…)``, which somebody may have meant."""
    callee = call["function"] if call.type == "call_expression" else None
    method = callee["property"] if callee is not None and callee.type == "member_expression" else None
    return method is not None and subject.tree.text(method) == "then"


def _is_in_result(parent: Syntax, node: Syntax) -> bool:
    """Whether a value is a member of an object or array that is returned as it is."""
    if parent.type == "pair" and node.field == "value":
        parent = parent.parent or parent
    while parent.type in ("object", "array", "pair") and parent.parent is not None:
        outer = around(parent).parent
        if outer is None or outer.type not in ("object", "array", "pair", "return_statement"):
            return False
        if outer.type == "return_statement":
            return True
        parent = outer
    return False


def _is_logged(subject: Subject, parent: Syntax) -> bool:
    call = parent.parent
    return parent.type == "arguments" and call is not None and subject.calls.helper(call) == "log"
