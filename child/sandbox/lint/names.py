"""Names that a workflow does not have, and assignments that throw."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.advice import GLOBALS, absent_names, in_place_of
from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.syntax import Syntax, around, bare

# Members of globals that are in every realm but throw, or are missing.
_ABSENT_MEMBERS = ("Math.random",)


def absent_globals(subject: Subject) -> Iterator[Found]:
    """Names of other runtimes, and names that nobody declares."""
    absent, tested = absent_names(), _tested(subject)
    for node in subject.scopes.free:
        name = subject.tree.text(node)
        if name in GLOBALS or name in tested or _is_arguments(name, node) or _is_typeof(node):
            continue
        if name in absent:
            yield Found(
                "absent_global",
                node,
                f"a workflow has no {name}{_called(subject, node)}",
                absent[name],
                subject.failure_at(node),
            )
        else:
            shown = subject.shown(node)
            yield Found(
                "unknown_global",
                node,
                f"{shown} is not defined",
                in_place_of(name),
                subject.failure_at(node),
            )


def absent_members(subject: Subject) -> Iterator[Found]:
    """``Math.random()``, and absent globals by way of ``globalThis``."""
    absent = absent_names()
    for member in subject.tree.of("member_expression"):
        text = subject.tree.text(member)
        if text in _ABSENT_MEMBERS and subject.scopes.is_global(member["object"], text.split(".")[0]):
            if around(member).field == "function":
                yield Found(
                    "absent_global",
                    member,
                    f"a workflow has no {text}()",
                    absent[text],
                    subject.failure_at(member),
                )
        elif subject.scopes.is_global(member["object"], "globalThis") and (name := member["property"]):
            parent = member.parent
            is_used = parent is not None and parent.type == "member_expression" and member.field == "object"
            if is_used and (advice := absent.get(subject.tree.text(name))) and not _is_optional(parent):
                yield Found(
                    "absent_global", member, f"{subject.shown(member)} is undefined", advice, "warning"
                )


def assignments(subject: Subject) -> Iterator[Found]:
    """Assignments to names that nobody declares, to constants and to the globals of a workflow."""
    for node in subject.scopes.free_changes:
        name = subject.shown(node)
        if name in GLOBALS:
            message, hint = f"{name} is a global that cannot be assigned to", "use a name of your own"
        else:
            message, hint = f"{name} is assigned to and nothing declares it", f"declare it: let {name}"
        yield Found("bad_assignment", node, message, hint, subject.failure_at(node))
    for binding in subject.scopes.bindings:
        if binding.kind not in ("const", "import"):
            continue
        for node in binding.changes:
            name = subject.shown(node)
            message = (
                f"{name} is {'a constant' if binding.kind == 'const' else 'imported'} and is assigned to"
            )
            yield Found(
                "bad_assignment", node, message, f"declare it by let {name}", subject.failure_at(node)
            )


def members_of_nothing(subject: Subject) -> Iterator[Found]:
    """Members of a constant that is undefined or null."""
    for binding in subject.scopes.bindings:
        value = bare(binding.value)
        if value is None or value.type not in ("undefined", "null") or binding.kind != "const":
            continue
        for use in binding.uses:
            parent = use.parent
            is_read = parent is not None and parent.type in ("member_expression", "subscript_expression")
            if is_read and use.field == "object" and not _is_optional(parent):
                yield Found(
                    "member_of_nothing",
                    use,
                    f"{binding.name} is {value.type} and has no members",
                    "",
                    subject.failure_at(use),
                )


def refused_imports(subject: Subject) -> Iterator[Found]:
    """``import()`` of anything but the virtual modules, which rejects."""
    for call in subject.calls.all:
        callee, arguments = call["function"], call["arguments"]
        if callee is None or callee.type != "import" or arguments is None or not arguments.children:
            continue
        specifier = subject.tree.string(arguments.children[0])
        if specifier is not None and specifier not in ("workflow:extra", "workflow:sandbox"):
            yield Found(
                "refused_import",
                call,
                f"a workflow cannot import {subject.shown(arguments.children[0])}",
                "import a file beside it by a declaration, or pass data in args",
                subject.rejection_at(call),
            )


def _tested(subject: Subject) -> set[str]:
    """Names that the source asks for before it uses them: by ``typeof``, ``in``, or of ``globalThis``."""
    found = {
        subject.tree.text(name)
        for member in subject.tree.of("member_expression")
        if subject.scopes.is_global(member["object"], "globalThis") and (name := member["property"])
    }
    for node in subject.tree.of("binary_expression"):
        if node.has("in") and (asked := subject.tree.string(bare(node["left"]))) is not None:
            found.add(asked)
    for node in subject.tree.of("unary_expression"):
        if node.has("typeof") and (operand := bare(node["argument"])) is not None:
            found.add(subject.tree.text(operand))
    return found


def _is_typeof(node: Syntax) -> bool:
    parent = around(node).parent
    return parent is not None and parent.type == "unary_expression" and parent.has("typeof")


def _is_arguments(name: str, node: Syntax) -> bool:
    return name == "arguments" and any(
        each.type not in ("arrow_function",)
        for each in node.above()
        if each.type.startswith(("func", "meth", "gen"))
    )


def _is_optional(member: Syntax | None) -> bool:
    return member is not None and member.has("optional_chain")


def _called(subject: Subject, node: Syntax) -> str:
    """How the source uses a name, where it does more than name it: `` (`new Date`)``."""
    parent = node.parent
    if parent is not None and parent.type == "new_expression":
        return f" (`new {subject.shown(node)}`)"
    if parent is not None and parent.type == "member_expression" and node.field == "object":
        return f" (`{subject.shown(parent)}`)"
    return ""
