"""docs/voyado.md tells the truth: its sample loads, and every setting, standard attribute and code is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_sync.config.load import load
from stream_sync.config.problems import ConfigError
from stream_sync.sinks.voyado_fields import STANDARD, WORDS
from stream_sync.sinks.voyado_replies import _CODES
from stream_sync.sinks.voyado_settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "voyado.md").read_text(encoding="utf-8")
RESPONSES_THAT_ARE_NO_REJECTION = {"contact_with_key_is_being_created", "invalid_system_configuration"}


def test_the_sample_is_a_good_config(tmp_path: Path) -> None:
    base = "name: acme\nkafka: {bootstrap.servers: localhost:9092}\nsources: {members: {topic: t}}\n"
    path = tmp_path / "acme.yaml"
    path.write_text(base + PAGE.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert load(path, {"VOYADO_API_KEY": "x"}).warnings == ()


def test_the_sample_of_a_new_address_is_one_and_is_refused_where_the_old_one_is_not_shown(tmp_path: Path) -> None:
    sample = PAGE.split("```yaml\n")[2].split("```")[0]
    for name, before in (("acme", "full"), ("wrong", "key")):
        (tmp_path / f"{name}.yaml").write_text(sample.replace("before: full", f"before: {before}"), encoding="utf-8")
    assert load(tmp_path / "acme.yaml", {}).warnings == ()
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "wrong.yaml", {})
    assert all(str(problem) in PAGE for problem in refused.value.problems)


def test_every_setting_attribute_type_and_code_is_told() -> None:
    assert [name for name in Settings.model_fields if name != "type" and f"| `{name}` |" not in PAGE] == []
    words = set(PAGE.replace("`", " ").replace("(", " ").replace(")", " ").replace(",", " ").split())
    told = {*STANDARD, *WORDS, *_CODES.values()} - RESPONSES_THAT_ARE_NO_REJECTION
    assert told - words == set()
