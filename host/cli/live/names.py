"""Names of child workflows: those of their sources, told apart where a run starts one twice."""

from __future__ import annotations

from collections import Counter


class Names:
    """Of one run, by the run ids of its children."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def begin(self, run_id: str, source_name: str) -> str:
        """The name of a child that has begun; the same where that is told again."""
        if run_id not in self._names:
            self._counts[source_name] += 1
            count = self._counts[source_name]
            self._names[run_id] = source_name if count == 1 else f"{source_name} #{count}"
        return self._names[run_id]

    def of(self, run_id: str) -> str | None:
        """The name; None for the root."""
        return self._names.get(run_id)
