"""What a sink finds, among the other problems of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_sync.config.load import load
from stream_sync.config.problems import ConfigError

FILE = """\
name: acme
kafka: {bootstrap.servers: localhost:9092}
sources: {members: {topic: t}}
destinations:
  voyado: {type: voyado, url: "https://acme.voyado.com", api_key: x, SETTING}
activations:
  members:
    source: members
    destination: voyado
    mode: upsert
    identifier: {email: email}
    attributes: {churnScore: churn_score, consents: consents}
"""


@pytest.mark.parametrize(
    ("setting", "places"),
    [
        ("known_fields: {firstName: text}", ["attributes.churnScore", "attributes.consents"]),
        ("known_fields: {churnScore: nmuber}", ["known_fields.churnScore", "attributes.consents"]),
        ("known_fields: {churnScore: number}, required: firstName", ["required", "attributes.consents"]),
    ],
)
def test_a_wrong_setting_is_told_and_not_what_rests_on_it(setting: str, places: list[str], tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(FILE.replace("SETTING", setting), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    told = [problem.place.removeprefix("destinations.voyado.") for problem in caught.value.problems]
    assert [place.removeprefix("activations.members.") for place in told] == places
