"""Every form that a value can take at a destination, by its sink and name; what they warn of is heard by nobody."""

from __future__ import annotations

from collections.abc import Mapping

from stream_sync.sinks import braze_fields, crisp_fields, voyado_fields
from stream_sync.sinks.forms import Form


def _unheard(_code: str) -> None:
    """Nobody listens."""


EVERY_FORM: Mapping[str, Form] = {
    **{f"braze {name}": make("unset", _unheard) for name, make in braze_fields.FIELDS.items()},
    "braze custom": braze_fields.custom("unset", _unheard),
    **{f"voyado {name}": voyado_fields.form(name, "unset", _unheard) for name in (*voyado_fields.STANDARD, "its own")},
    **{f"crisp {name}": make(_unheard) for name, make in crisp_fields.FIELDS.items()},
    "crisp custom": crisp_fields.custom(_unheard),
}
