"""`allowed_hosts`: no address of the config leads anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_sync.config.load import load
from stream_sync.config.problems import ConfigError
from stream_sync.config.rules.hosts import is_allowed
from tests.config.sample_config import GOOD, bent, problems, read


def with_hosts(hosts: str) -> str:
    return bent("name: acme", f"name: acme\nallowed_hosts: {hosts}")


def test_the_hosts_of_all_addresses_are_allowed(tmp_path: Path) -> None:
    config = read(with_hosts("[localhost, '*.example']"), tmp_path).config
    assert config.allowed_hosts == ("localhost", "*.example")
    assert read(GOOD, tmp_path).config.allowed_hosts is None


def test_every_address_elsewhere_is_a_problem_at_its_place(tmp_path: Path) -> None:
    error = problems(with_hosts("[ledger.example]"), tmp_path)
    assert [(problem.place, problem.message.partition(" is ")[0]) for problem in error.problems] == [
        ("schema_registry.url", "'localhost'"),
        ("destinations.post.url", "'post.example'"),
    ]


def test_an_address_from_a_variable_counts_as_it_is_then(tmp_path: Path) -> None:
    text = with_hosts("[localhost, '*.example']").replace('"https://post.example"', '"https://${POST_HOST}/in"')
    environ = {"LEDGER_KEY": "hidden-3", "POST_HOST": "evil.test"}
    (found,) = problems(text, tmp_path, environ).problems
    assert found.place == "destinations.post.url"
    assert found.message.startswith("'${POST_HOST}' is not among `allowed_hosts`")


def test_the_address_that_a_type_fills_in_counts_too(tmp_path: Path) -> None:
    text = """
name: acme
allowed_hosts: [localhost]
kafka: {bootstrap.servers: "localhost:9092"}
sources: {people: {topic: wh.people}}
destinations: {crisp: {type: crisp, website_id: w, identifier: i, key: k, tier: plugin}}
activations: {all: {source: people, destination: crisp, mode: update, identifier: {email: email}, fields: [phone]}}
"""
    path = tmp_path / "acme.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"destinations\.crisp\.url.*'api\.crisp\.chat' is not among"):
        load(path, {})


@pytest.mark.parametrize(
    ("host", "pattern", "allowed"),
    [
        ("rest.fra-01.braze.eu", "rest.fra-01.braze.eu", True),
        ("REST.braze.eu", "rest.Braze.eu", True),
        ("rest.fra-01.braze.eu", "*.braze.eu", True),
        ("braze.eu", "*.braze.eu", False),
        ("evilbraze.eu", "*.braze.eu", False),
        ("braze.eu.evil.test", "braze.eu", False),
        ("::1", "::1", True),
        ("10.0.0.7", "10.0.0.*", False),
    ],
)
def test_what_a_pattern_allows(host: str, pattern: str, allowed: bool) -> None:
    assert is_allowed(host, [pattern]) is allowed
