from __future__ import annotations

from pathlib import Path

from stream_sync.sandbox.faults import Faults
from stream_sync.sinks.braze import Settings
from stream_sync.sinks.braze_fields import FIELDS

DOCS = Path(__file__).parents[2] / "docs"


def test_every_knob_is_documented() -> None:
    text = (DOCS / "sandbox.md").read_text()
    assert [knob for knob in Faults.__struct_fields__ if f"`{knob}`" not in text] == []


def test_every_setting_and_field_of_braze_is_documented() -> None:
    text = (DOCS / "braze.md").read_text()
    assert [name for name in Settings.model_fields if name != "type" and f"| `{name}` |" not in text] == []
    words = set(text.replace("`", " ").replace(".", " ").split())
    assert [field for field in FIELDS if field not in words] == []
