"""Where `meta` stands, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.child.sandbox.lint.subject import Found, Subject


def placed(subject: Subject) -> Iterator[Found]:
    """A `meta` that is not the first statement, which other runtimes refuse."""
    statement = subject.meta_statement
    if statement is None:
        return
    before = [
        each
        for each in subject.tree.root.children
        if each.start < statement.start
        and each.type not in ("import_statement", "empty_statement")
        and not _is_directive(each.type, subject.tree.text(each))
    ]
    if before:
        yield Found(
            "meta_not_first",
            statement,
            "meta is not the first statement",
            "other runtimes of scripts require it",
        )


def _is_directive(type: str, text: str) -> bool:
    return type == "expression_statement" and text[:1] in ("'", '"')


def named(subject: Subject) -> Iterator[Found]:
    """A `meta` without a name."""
    statement, meta = subject.meta_statement, subject.meta
    if statement is not None and isinstance(meta, dict) and not isinstance(meta.get("name"), str):
        yield Found("meta_without_name", statement, "meta has no name", "add name: '…'")
