"""What `validate --live` finds, as values.

Invariants: a finding has a place in the config and says what would be right; none holds a secret or a record's data.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from stream_sync.config.problems import Place

Kind = Literal["problem", "unreached", "unproven", "note"]


class Finding(NamedTuple):
    """`problem`: the config, or what it names, is wrong. `unreached`: no answer, so nobody knows. `unproven`: what
    looking cannot tell. `note`: right, and good to know."""

    kind: Kind
    place: Place
    message: str
