"""Applies every rule to one source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from flowcage.child.sandbox.lint import (
    arguments,
    loops,
    metas,
    names,
    phases,
    promises,
    results,
    schemas,
    texts,
)
from flowcage.child.sandbox.lint.rules import RULES
from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.modules.siblings import Siblings
from flowcage.child.sandbox.reading.places import Places
from flowcage.child.sandbox.reading.syntax import SourceTree
from flowcage.child.sandbox.syntax_tree import SourceTooLarge
from flowcage.child.sandbox.workflow_text import WorkflowText
from flowcage.protocol.messages import Checked, Finding

MAX_FINDINGS = 100
_MAX_TEXT = 300
_CHECKS: tuple[Callable[[Subject], Iterator[Found]], ...] = (
    names.absent_globals,
    names.absent_members,
    names.assignments,
    names.members_of_nothing,
    names.refused_imports,
    arguments.tasks,
    arguments.stages,
    arguments.functions_for_promises,
    arguments.texts,
    arguments.options,
    promises.dropped_calls,
    promises.dropped_by_for_each,
    promises.dropped_by_map,
    promises.uses_of_promises,
    promises.arrays_of_promises,
    texts.parts_of_text,
    texts.texts_of_promises,
    results.lost_values,
    results.numbers_of_nothing,
    results.no_result,
    results.unreachable,
    phases.phases,
    metas.placed,
    metas.named,
    schemas.schemas,
    loops.endless,
)


# About what a workflow is and a module is not: its meta, and its result.
_OF_WORKFLOWS = frozenset({"no_result", "meta_not_first", "meta_without_name"})


def findings(siblings: Siblings, checked: Checked) -> tuple[Finding, ...]:
    """What is probably wrong with sources that compile: the workflow's, in order, and then each module's."""
    entry, *modules = siblings.texts()
    found = [*_of_source(entry, checked, b"\n".join(module.utf8 for module in modules))]
    for module in modules:
        of_module = _of_source(module, Checked("module", None), b"")
        found += [
            each._replace(source_name=module.name) for each in of_module if each.kind not in _OF_WORKFLOWS
        ]
    return tuple(found[:MAX_FINDINGS])


def _of_source(text: WorkflowText, checked: Checked, beside: bytes) -> tuple[Finding, ...]:
    try:
        tree = SourceTree(text.utf8, text.bounds)
    except SourceTooLarge as too_large:
        return (_not_read(str(too_large)),)
    if not tree.is_whole:
        return (
            _not_read("the source is written in a way that is not understood here, and was not read further"),
        )
    subject = Subject(tree, checked.dialect, checked.meta, beside)
    places = Places(text.utf8)
    found = sorted(_found(subject), key=lambda each: (each.node.start, each.kind))
    return tuple(_finding(each, places) for each in found[:MAX_FINDINGS])


def _found(subject: Subject) -> Iterator[Found]:
    for check in _CHECKS:
        yield from islice(check(subject), MAX_FINDINGS)


def _finding(found: Found, places: Places) -> Finding:
    return Finding(
        found.kind,
        found.severity or RULES[found.kind].severity,
        found.message[:_MAX_TEXT],
        *places.of(found.node.start),
        *places.of(found.node.end),
        found.hint[:_MAX_TEXT] or None,
    )


def _not_read(why: str) -> Finding:
    return Finding("not_read", RULES["not_read"].severity, why, 1, 1)
