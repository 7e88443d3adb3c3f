"""docs/formats.md names what the code has."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from stream_sync.config.column_types import NAMES
from stream_sync.formats.control_records import Code

DOC = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()


@pytest.mark.parametrize("code", get_args(Code))
def test_every_code_has_its_row(code: str) -> None:
    assert f"| `{code}` |" in DOC


@pytest.mark.parametrize("name", NAMES)
def test_every_type_name_is_explained(name: str) -> None:
    assert f"`{name.replace('(2)', '(S)').replace('(text)', '(T)')}`" in DOC
