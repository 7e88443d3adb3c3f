"""Schemaless JSON whose source lacks the types of needed columns: the halt that names them and proposes what they are.

Invariants: a proposal of one row is made as one of many (`type_evidence`), and holds nothing of the row's values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stream_sync.errors import HaltError
from stream_sync.formats.type_evidence import Evidence, Proposal
from stream_sync.model import Absent


class TypesMissingError(HaltError):
    """`proposals`: by column. Raised before anything of the record is used."""

    def __init__(self, proposals: Mapping[str, Proposal]) -> None:
        self.columns = tuple(proposals)
        self.proposals = dict(proposals)
        listed = "; ".join(f"{column}: {proposal}" for column, proposal in proposals.items())
        super().__init__(
            "types_missing",
            "JSON without schemas does not say what a number or a text is. Add to the source's `types:` what these "
            f"columns are ({listed}; `stream-sync types` looks at more than this one row), or turn on schemas in the "
            "connector's value converter",
        )


def types_missing(columns: Iterable[str], row: Mapping[str, Any]) -> TypesMissingError:
    """The error for these columns, proposed from a row as JSON shows it."""
    return TypesMissingError({column: propose(row.get(column, Absent.MISSING), column) for column in sorted(columns)})


def propose(value: Any, name: str = "") -> Proposal:
    """What one value of a column speaks for."""
    evidence = Evidence()
    evidence.see(value)
    return evidence.proposal(name)
