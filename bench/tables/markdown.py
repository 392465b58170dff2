"""What bench/host.py has measured, as Markdown and as JSON."""

from __future__ import annotations

from statistics import median
from typing import Any, NamedTuple

from tables.interpreters import Interpreter
from tables.rows import PER_MACHINE

COLUMNS = ("host", "zygote", "exec", "monty", "deno", "node", "ping-pong")
TITLES = {
    "host": "flowcage",
    "zygote": "without spares",
    "exec": "by exec",
    "ping-pong": "JSON ping-pong",
}
_MORE_IS_BETTER = "runs"  # the unit of rates


class Record(NamedTuple):
    """A row of one contender with one interpreter: values of each batch, by the part that they are of."""

    row: str
    unit: str
    python: str
    contender: str
    values: dict[str, list[float]]

    def median(self, part: str = "") -> float:
        """Of all batches; `part` is the empty text, or the first where that is not there."""
        return median(self.values.get(part) or next(iter(self.values.values())))


class Measured(NamedTuple):
    """All of a session."""

    date: str
    machine: str
    interpreters: list[Interpreter]
    records: list[Record]

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "date": self.date,
            "machine": self.machine,
            "interpreters": [each._asdict() for each in self.interpreters],
            "records": [each._asdict() for each in self.records],
        }

    def find(self, row: str, python: str, contender: str) -> Record | None:
        """The record of a row; what does not depend on Python was measured with the first interpreter."""
        version = self.interpreters[0].version if contender in PER_MACHINE else python
        for record in self.records:
            if (record.row, record.python, record.contender) == (row, version, contender):
                return record
        return None


def tables(measured: Measured) -> str:
    """Everything in Markdown: a table for each interpreter, then the one of scaling, then that of goals."""
    from tables.goals import goals

    parts = [f"Measured {measured.date}; {measured.machine}. Medians, with the least in brackets."]
    for interpreter in measured.interpreters:
        parts.append(f"{interpreter.described()}\n\n{_beside(measured, interpreter.version)}")
        if scaling := _scaling(measured, interpreter.version):
            parts.append(scaling)
        parts.append(goals(measured, interpreter))
    return "\n\n".join(parts)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; all columns but the first are figures."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _rows(measured: Measured) -> list[str]:
    return list(dict.fromkeys(record.row for record in measured.records))


def _is_scaling(row: str) -> bool:
    return row.endswith(("at once", "outstanding"))


def _beside(measured: Measured, python: str) -> str:
    names = [name for name in COLUMNS if any(each.contender == name for each in measured.records)]
    head = ["", *(TITLES.get(name, name) for name in names), "flowcage / monty"]
    rows = []
    for row in _rows(measured):
        found = {name: measured.find(row, python, name) for name in names}
        if _is_scaling(row) or found.get("host") is None:
            continue
        unit = next(record.unit for record in found.values() if record)
        cells = [_cell(record) for record in found.values()]
        rows.append([f"{row}, {unit}", *cells, _ratio(found.get("host"), found.get("monty"))])
        if any(record and "cpu" in record.values for record in found.values()):
            cells = [_cell(record, "cpu") for record in found.values()]
            both = _ratio(found.get("host"), found.get("monty"), "cpu")
            rows.append([f"{row}, {unit} of CPU, all processes", *cells, both])
    return table(head, rows)


def _cell(record: Record | None, part: str = "") -> str:
    if record is None:
        return ""
    values = record.values.get(part) or next(iter(record.values.values()))
    best = max(values) if record.unit == _MORE_IS_BETTER else min(values)
    return f"{_short(median(values))} ({_short(best)})"


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 20 else f"{value:.0f}"


def _ratio(own: Record | None, other: Record | None, part: str = "") -> str:
    return f"{own.median(part) / other.median(part):.2f}" if own and other else ""


def _scaling(measured: Measured, python: str) -> str:
    rows = []
    for row in filter(_is_scaling, _rows(measured)):
        if record := measured.find(row, python, "host"):
            host, children = record.median("host"), record.median("children")
            rows.append([row, f"{host:.2f} {record.unit}", f"{children:.2f} {record.unit}"])
    return table(["CPU for each, flowcage", "host", "zygote and child"], rows) if rows else ""
