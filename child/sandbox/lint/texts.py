"""Text that is made of promises, objects and nothing: ``[object Object]`` in a prompt."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.promises import is_array_of_promises
from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.syntax import Syntax, bare

_TEXTS = frozenset({"string", "template_string"})
# What `new` makes whose text says nothing of it.
_OPAQUE = frozenset({"Set", "Map", "WeakSet", "WeakMap", "Promise", "Proxy"})
_BY_JSON = "write `JSON.stringify(…)`, or the members that are meant"


def parts_of_text(subject: Subject) -> Iterator[Found]:
    """Parts of templates and sums whose text is not what was meant."""
    for part in _parts(subject):
        if (found := _wrong(subject, part)) is not None:
            yield found


def texts_of_promises(subject: Subject) -> Iterator[Found]:
    """``JSON.stringify`` and ``String`` of a promise."""
    for call in subject.calls.all:
        callee = call["function"]
        text = "" if callee is None else subject.tree.text(callee)
        given = call["arguments"]
        if (
            text not in ("JSON.stringify", "String")
            or not _is_global(subject, callee)
            or given is None
            or not given.children
        ):
            continue
        if (name := _promise(subject, bare(given.children[0]))) is not None:
            shown = "{}" if text == "JSON.stringify" else "[object Promise]"
            yield Found(
                "promise_in_prompt",
                given.children[0],
                f"{text}() of a promise of {name} is {shown}",
                "await it first",
            )


def _is_global(subject: Subject, callee: Syntax | None) -> bool:
    name = callee["object"] if callee is not None and callee.type == "member_expression" else callee
    return name is not None and subject.scopes.is_global(name, subject.tree.text(name))


def _parts(subject: Subject) -> Iterator[Syntax]:
    """The expressions that become a part of a text."""
    texts: set[int] = set()
    for node in reversed(subject.tree.nodes):  # the parts of a sum come before it
        if node.type in _TEXTS:
            texts.add(id(node))
        elif node.type == "template_substitution":
            holder = node.parent.parent if node.parent is not None else None
            is_tagged = holder is not None and holder.type == "call_expression"
            if node.children and not is_tagged:
                yield node.children[0]
        elif node.type == "binary_expression" and node.has("+"):
            yield from _parts_of_sum(node, texts)


def _parts_of_sum(node: Syntax, texts: set[int]) -> Iterator[Syntax]:
    left, right = node["left"], node["right"]
    if left is None or right is None:
        return
    if id(left) in texts:
        yield right
    if id(right) in texts:
        yield left
    if id(left) in texts or id(right) in texts:
        texts.add(id(node))


def _wrong(subject: Subject, part: Syntax) -> Found | None:
    value = bare(part)
    if value is None:
        return None
    if (name := _promise(subject, value)) is not None:
        return Found(
            "promise_in_prompt", part, f"this is a promise of {name}, not its result", "write `await …`"
        )
    if is_array_of_promises(subject, value):
        return Found(
            "promise_in_prompt", part, "this is an array of promises", "write `await Promise.all(…)`"
        )
    if value.type in ("undefined", "null"):
        return Found("object_in_prompt", part, f"the text will hold the word {value.type}")
    if (what := _object(subject, value)) is not None:
        return Found("object_in_prompt", part, f"{what} becomes [object Object]", _BY_JSON)
    return None


def _promise(subject: Subject, value: Syntax | None) -> str | None:
    """Of what an expression is a promise, directly or by a name; None where it is none."""
    if value is not None and value.type == "identifier":
        binding = subject.scopes.of(value)
        value = binding.value if binding is not None else None
    return subject.calls.promised(value)


def _object(subject: Subject, value: Syntax) -> str | None:
    """What an object is called whose text is ``[object …]``; None for all else."""
    shown = subject.shown(value)
    if value.type == "identifier":
        binding = subject.scopes.of(value)
        bound = bare(binding.value) if binding is not None else None
        if binding is None or bound is None or _gets_text(subject, binding.uses):
            return None
        value = bound
    if value.type == "object":
        return shown if not _names(subject, value) & {"toString", "valueOf", "[Symbol.toPrimitive]"} else None
    if value.type == "new_expression":
        made = value["constructor"]
        name = "" if made is None else subject.tree.text(made)
        return shown if name in _OPAQUE and subject.scopes.is_global(made, name) else None
    if value.type == "await_expression" and value.children:
        return shown if _answers_object(subject, bare(value.children[-1])) else None
    return None


def _gets_text(subject: Subject, uses: list[Syntax]) -> bool:
    """Whether a member ``toString`` is given to an object later."""
    return any(
        "toString" in subject.tree.text(use.parent) for use in uses if use.field == "object" and use.parent
    )


def _names(subject: Subject, literal: Syntax) -> set[str]:
    found = set()
    for each in literal.children:
        if each.type == "spread_element":
            return {"toString"}  # it may bring one
        name = each["key"] or each["name"] or each
        found.add(subject.tree.string(name) or subject.tree.text(name))
    return found


def _answers_object(subject: Subject, call: Syntax | None) -> bool:
    """Whether a call of `agent` has a schema of objects, or asks for a handle."""
    if call is None or subject.calls.helper(call) != "agent":
        return False
    given = call["arguments"]
    options = given.children[1] if given is not None and len(given.children) > 1 else None
    handle = subject.literals.member(options, "handle")
    kind = subject.literals.member(subject.literals.member(options, "schema"), "type")
    return (handle is not None and handle.type == "true") or subject.tree.string(kind) == "object"
