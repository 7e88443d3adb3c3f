"""The JSON Schema of the config file: current, and in agreement with `load`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own
from ruamel.yaml import YAML

from stream_sync.config.json_schema import DISTRIBUTION, schema, text
from stream_sync.config.resolved import resolved
from stream_sync.config.sink_types import installed
from tests.config.sample_config import GOOD, bent, read
from tests.config.sample_sinks import SAMPLE_SINKS

COMMITTED = Path(__file__).parents[2] / "schemas" / "config.schema.json"


def wrong(content: str) -> list[str]:
    data: Any = YAML(typ="safe", pure=True).load(content)
    return sorted({error.json_path for error in Draft202012Validator(schema(SAMPLE_SINKS)).iter_errors(data)})


def test_the_committed_schema_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == text(installed(DISTRIBUTION)), (
        f"write it anew: python -m stream_sync.config.json_schema > schemas/{COMMITTED.name}"
    )


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema(SAMPLE_SINKS))


def test_a_good_file_fits(tmp_path: Path) -> None:
    assert wrong(GOOD) == []
    assert wrong(bent("admin: {host: 127.0.0.1, port: 8080}", 'admin: {port: "${PORT:-8080}"}')) == []
    assert wrong(bent("admin: {host: 127.0.0.1, port: 8080}", "admin: off")) == []
    assert wrong(resolved(read(GOOD, tmp_path).config)) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("name: acme", "nmae: acme", "$"),
        ("mode: mirror", "mode: mirorr", "$.activations.gold.mode"),
        ("port: 8080", "port: 70000", "$.admin"),
        ("max_wait: 1s", "max_wait: 1", "$.activations.gold.batch.max_wait"),
        ("api_key: hidden-2", "key: hidden-2", "$.destinations.post"),
        ("localhost:9092", "a\n  group.id: x", "$.kafka"),
    ],
)
def test_a_bad_file_does_not(old: str, new: str, path: str) -> None:
    assert wrong(bent(old, new)) == [path]


def test_every_setting_says_what_it_means() -> None:
    models = [schema(installed(DISTRIBUTION))]
    models += [part for part in models[0]["$defs"].values() if "properties" in part]

    assert [
        f"{part.get('description', '?').splitlines()[0]}: {name}"
        for part in models
        for name, setting in part["properties"].items()
        if "description" not in setting and "const" not in setting
    ] == []
