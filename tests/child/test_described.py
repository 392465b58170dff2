"""What the answer to `start` says of the dialect, where it was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess, Refused

META = "export const meta = { name: 'n', description: 'd' };\n"
LONG = "/* a comment of 32 characters */\n" * 40000  # more than the grammar reads
SOURCES = [
    ("export default 1", "module"),
    ("log(1)", "module"),
    (META + "export default 1", "module"),
    (META + "export const other = 1", "module"),
    ("const meta = 1; export default meta", "module"),
    ("export * from 'workflow:extra'; const meta = 1;", "module"),
    ("return 1", "script"),
    (META + "if (1) return 1", "script"),
    (META, "script"),
    (META + "log('return 1')", "script"),
    ("const meta = { name: 'n', description: 'd' }; export { meta }", "script"),
    (LONG + "export default 1", "module"),
]


def started(child: ChildProcess, source: str, **params: Any) -> Any:
    child.initialize()
    return child.request("start", source=source, **params)


@pytest.mark.parametrize(("source", "dialect"), SOURCES)
def test_the_dialect_is_told_that_auto_chose(child: ChildProcess, source: str, dialect: str) -> None:
    assert started(child, source, describe=True) == {"dialect": dialect}


@pytest.mark.parametrize("source", ["export default 1", META + "export default 1", "return 1", META])
def test_check_tells_the_same(child: ChildProcess, source: str) -> None:
    child.initialize()
    checked = child.request("check", source=source)["dialect"]
    assert child.request("start", source=source, describe=True) == {"dialect": checked}


@pytest.mark.parametrize("dialect", ["module", "script"])
def test_a_dialect_that_was_asked_for_is_told(child: ChildProcess, dialect: str) -> None:
    assert started(child, META + "log(1)", dialect=dialect, describe=True) == {"dialect": dialect}


@pytest.mark.parametrize("source", ["export default 1", "return 1", META])
@pytest.mark.parametrize("params", [{}, {"describe": False}])
def test_nothing_is_told_unasked(child: ChildProcess, source: str, params: dict[str, Any]) -> None:
    assert started(child, source, **params) == {}


def test_nothing_is_told_where_the_source_is_too_long_for_the_grammar(child: ChildProcess) -> None:
    assert started(child, LONG + META, describe=True) == {}
    assert child.result() is None


def test_a_source_that_does_not_compile_is_refused_as_ever(child: ChildProcess) -> None:
    with pytest.raises(Refused) as refused:
        started(child, "export default [;", describe=True)
    assert refused.value.kind == "syntax"


def test_describe_is_a_boolean(child: ChildProcess) -> None:
    with pytest.raises(Refused) as refused:
        started(child, "export default 1", describe=1)
    assert (refused.value.kind, refused.value.data["path"]) == ("invalid_params", "/describe")
    assert child.result_of("export default 1") == 1
