"""What a child finds in a source."""

from flowcage._hints import Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Finding(NamedTuple):
    """Something in a source that is probably wrong. Lines and columns are from 1, columns in characters.

    Attributes:
        kind: the rule that found it.
        end_line, end_column: the place behind what is meant, None where it is not told.
        hint: what to do instead.
        source_name: of the module that it is in; None for the source itself.
    """

    kind: str
    severity: Severity
    message: str
    line: int
    column: int
    end_line: int | None = None
    end_column: int | None = None
    hint: str | None = None
    source_name: str | None = None


class Place(NamedTuple):
    """Where a call stands, as far as the child knows: line and column from 1, and the name of the source."""

    line: int | None = None
    column: int | None = None
    source_name: str | None = None


class Import(NamedTuple):
    """An import of a module that stands beside the source; line and column are None where they are not known.

    Attributes:
        specifier: as it is written.
    """

    specifier: str
    line: int | None = None
    column: int | None = None
