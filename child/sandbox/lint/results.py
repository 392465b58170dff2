"""What a run results in: nothing, or values that JSON loses; and code that no run gets to."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.calls import arguments
from flowcage.child.sandbox.reading.syntax import Syntax, bare

_EXITS = frozenset({"return_statement", "throw_statement", "break_statement", "continue_statement"})
_HOISTED = frozenset({"function_declaration", "generator_function_declaration", "empty_statement"})
_READERS = frozenset({"length", "reduce", "map", "filter", "join", "some", "every"})
_LOST = {
    "Set": "write `[...…]`",
    "Map": "write `Object.fromEntries(…)`",
    "WeakSet": "",
    "WeakMap": "",
    "Error": "write its message",
    "TypeError": "write its message",
    "RangeError": "write its message",
    "RegExp": "write its source",
}


def no_result(subject: Subject) -> Iterator[Found]:
    """A script that returns nothing."""
    if subject.dialect != "script" or any(
        node.function is None for node in subject.tree.of("return_statement")
    ):
        return
    last = subject.tree.root.children[-1] if subject.tree.root.children else subject.tree.root
    if last.type == "throw_statement":
        return
    dropped = bare(last.children[0]) if last.type == "expression_statement" and last.children else None
    name = subject.calls.promised(dropped) if dropped is not None else None
    if name is not None:
        hint = f"write `return await {subject.shown(dropped or last)}`"
    else:
        hint = "write `return …` with what the run results in"
    is_idle = not subject.calls.of("agent", "workflow", "pipeline", "parallel", "log", "phase", "ask", "exec")
    yield Found(
        "no_result",
        last,
        "the script has no return: its result is null" + (", and it calls nothing" if is_idle else ""),
        hint,
        "warning" if is_idle or name is not None else "note",
    )


def lost_values(subject: Subject) -> Iterator[Found]:
    """Values in results, logs and args of calls that JSON loses."""
    for node in _sent(subject):
        value = subject.literals.resolved(node)
        kind = _lost(subject, value)
        if kind is not None:
            what = f"{subject.shown(node)} is {'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
            yield Found(
                "lost_value", node, f"{what}, which JSON cannot hold: it becomes {{}}", _LOST.get(kind, "")
            )


def numbers_of_nothing(subject: Subject) -> Iterator[Found]:
    """The greatest, the least and the average of an array that stays empty, which are no numbers of JSON."""
    hint = "ask for its length first"
    for spread in subject.tree.of("spread_element"):
        call = spread.parent.parent if spread.parent is not None else None
        callee = call["function"] if call is not None else None
        name = subject.tree.text(callee) if callee is not None else ""
        if name in ("Math.max", "Math.min") and _stays_empty(subject, spread.children[-1]):
            yield Found("lost_value", call or spread, f"{name}() of an empty array is infinite", hint)
    for quotient in subject.tree.of("binary_expression"):
        by = bare(quotient["right"]) if quotient.has("/") else None
        if by is not None and _is_length(subject, by) and _stays_empty(subject, by["object"]):
            yield Found("lost_value", quotient, "this divides by the length of an empty array", hint)


def _is_length(subject: Subject, node: Syntax) -> bool:
    name = node["property"] if node.type == "member_expression" else None
    return name is not None and subject.tree.text(name) == "length"


def _stays_empty(subject: Subject, node: Syntax | None) -> bool:
    """Whether a name is that of an empty array into which nothing is put."""
    binding = subject.scopes.of(node)
    value = bare(binding.value) if binding is not None else None
    if binding is None or value is None or value.type != "array" or value.children:
        return False
    return all(_only_reads(subject, use) for use in binding.uses)


def _only_reads(subject: Subject, use: Syntax) -> bool:
    parent = use.parent
    if parent is None or parent.type == "spread_element":
        return True
    member = parent["property"] if parent.type == "member_expression" else None
    return member is not None and subject.tree.text(member) in _READERS and parent.field != "left"


def unreachable(subject: Subject) -> Iterator[Found]:
    """Statements behind one that always leaves."""
    for block in subject.tree.of("program", "statement_block"):
        statements = block.children
        place = next((index for index, each in enumerate(statements) if each.type in _EXITS), len(statements))
        lost = next((each for each in statements[place + 1 :] if not _is_declaration(each)), None)
        if lost is not None:
            word = statements[place].type.removesuffix("_statement")
            yield Found("unreachable_code", lost, f"no run gets here, behind the {word} above")


def _is_declaration(node: Syntax) -> bool:
    if node.type in _HOISTED:
        return True
    is_list = node.type in ("variable_declaration", "lexical_declaration")
    return is_list and all(
        each["value"] is None for each in node.children if each.type == "variable_declarator"
    )


def _sent(subject: Subject) -> Iterator[Syntax]:
    """The values that are sent as JSON: themselves, and the members of what is."""
    for statement in subject.tree.of("return_statement"):
        is_result = statement.function is None or subject.calls.is_main(statement.function or statement)
        if is_result and statement.children:
            yield from _members(statement.children[-1])
    for call in subject.calls.all:
        helper = subject.calls.helper(call)
        given = arguments(call)
        if helper == "log":
            for each in given:
                yield from _members(each)
        elif helper in ("agent", "workflow") and len(given) > 1:
            yield from _members(given[1])


def _members(node: Syntax) -> Iterator[Syntax]:
    stack = [node]
    while stack:
        value = bare(stack.pop())
        if value is None:
            continue
        if value.type in ("object", "array"):
            inner = (each["value"] if each.type == "pair" else each for each in value.children)
            stack.extend(each for each in inner if each is not None)
        else:
            yield value


def _lost(subject: Subject, value: Syntax | None) -> str | None:
    if value is not None and value.type == "regex":
        return "RegExp"
    made = value["constructor"] if value is not None and value.type == "new_expression" else None
    name = "" if made is None else subject.tree.text(made)
    return name if name in _LOST and subject.scopes.is_global(made, name) else None
