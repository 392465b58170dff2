"""The phases of `meta`, beside those that the source names."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.advice import near_match
from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.syntax import Syntax


def phases(subject: Subject) -> Iterator[Found]:
    """Names that `meta.phases` lacks, and titles that nothing names."""
    titles = _titles(subject)
    if not titles:
        return
    named, is_all = _named(subject)
    for name, node in named:
        if name not in titles:
            near = near_match(name, list(titles))
            hint = f"did you mean {near!r}?" if near else "add it to meta.phases, or use one of its titles"
            yield Found("unknown_phase", node, f"meta.phases has no {subject.shown(node)}", hint)
    used = {name for name, _ in named}
    told = _told_elsewhere(subject) if is_all else set()
    for title, node in titles.items() if is_all else ():
        if title not in used and title not in told and title.encode() not in subject.beside:
            yield Found(
                "unused_phase",
                node,
                f"nothing begins the phase {subject.shown(node)}",
                "call phase(…) with it",
            )


def _titles(subject: Subject) -> dict[str, Syntax]:
    """The titles of `meta.phases`, as far as they are plain text."""
    found: dict[str, Syntax] = {}
    for entry in subject.literals.items(subject.literals.member(subject.meta_node, "phases")) or ():
        value = entry if entry.type != "object" else subject.literals.member(entry, "title")
        if value is not None and (title := subject.tree.string(value)) is not None:
            found.setdefault(title, value)
    return found


def _named(subject: Subject) -> tuple[list[tuple[str, Syntax]], bool]:
    """The names that `phase` and the option are given, and whether these are all: none is computed."""
    given = [args[0] for _, args in subject.calls.of("phase") if args]
    is_all = True
    for _, args in subject.calls.of("agent"):
        if len(args) < 2:
            continue
        members, is_whole = subject.literals.members(args[1])
        is_all = is_all and is_whole
        if "phase" in members:
            given.append(members["phase"][1])
    named = []
    for node in given:
        text = subject.tree.string(subject.literals.resolved(node))
        is_all = is_all and text is not None
        if text is not None:
            named.append((text, node))
    return named, is_all


def _told_elsewhere(subject: Subject) -> set[str | None]:
    """The texts of the source outside of meta: a title among them may reach `phase` in another way."""
    meta = subject.meta_node
    return {
        subject.tree.string(node)
        for node in subject.tree.of("string", "template_string")
        if meta is None or not meta.start <= node.start < meta.end
    }
