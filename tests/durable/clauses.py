"""All clauses of the contract of a store, by name."""

from __future__ import annotations

from . import (
    clauses_archive,
    clauses_kept,
    clauses_owners,
    clauses_queue,
    clauses_watched,
    clauses_workers,
)
from .contract import CLAUSES, Clause

__all__ = [
    "CLAUSES",
    "Clause",
    "clauses_archive",
    "clauses_kept",
    "clauses_owners",
    "clauses_queue",
    "clauses_watched",
    "clauses_workers",
]
