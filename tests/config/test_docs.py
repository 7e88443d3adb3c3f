"""docs/config.md tells the truth: its sample loads, and every setting is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from stream_sync.config.load import load
from stream_sync.config.notifying import Email, Warnings, Webhook
from stream_sync.config.settings import Activation, Admin, Batch, Config, DeadLetters, Deletes, SchemaRegistry, Source
from stream_sync.config.sink_types import installed

PAGE = (Path(__file__).parents[2] / "docs" / "config.md").read_text(encoding="utf-8")
DESTINATIONS = [point().Settings for point in installed("stream-sync").values()]


def test_the_sample_is_a_good_config(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(PAGE.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert load(path, {"BRAZE_API_KEY": "x"}).warnings == ()


@pytest.mark.parametrize(
    "model", [Config, SchemaRegistry, Admin, Source, Activation, Deletes, Batch, DeadLetters, *DESTINATIONS], ids=str
)
def test_every_setting_is_told(model: type[BaseModel]) -> None:
    assert [name for name in model.model_fields if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("model", [Webhook, Email, Warnings], ids=str)
def test_every_setting_of_warnings_is_told(model: type[BaseModel]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "warnings.md").read_text(encoding="utf-8")
    names = [field.alias or name for name, field in model.model_fields.items()]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_the_defaults_of_admin_are_told() -> None:
    admin = Admin()
    assert f"{{host: {admin.host}, port: {admin.port}}}" in PAGE
