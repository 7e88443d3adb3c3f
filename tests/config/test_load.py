"""What a good config file becomes, and how several mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from stream_sync.config.load import load
from stream_sync.config.problems import ConfigError
from stream_sync.config.settings import Admin, Batch, DeadLetters, Deletes
from stream_sync.config.values import Rate, Secret
from tests.config.sample_config import GOOD, bent, problems, read
from tests.config.sample_sinks import SAMPLE_SINKS, LedgerSettings


def test_a_good_file_becomes_a_config(tmp_path: Path) -> None:
    loaded = read(GOOD, tmp_path)
    config, gold = loaded.config, loaded.config.activations["gold"]
    assert loaded.warnings == ()
    assert config.name == "acme"
    assert config.kafka == {"bootstrap.servers": "localhost:9092", "sasl.password": Secret("hidden-1")}
    assert config.schema_registry
    assert config.schema_registry.basic_auth is None
    assert config.sources["customers"].key == ("customer_id",)
    assert config.sources["customers"].types == {"birth_date": "date", "*": "json"}
    assert config.destinations["ledger"] == LedgerSettings(
        type="ledger", url="https://ledger.example", api_key=Secret("hidden-3"), rate_limit=Rate(3000, 3.0)
    )
    assert gold.fields == {"first_name": "first_name", "email": "lower(email)", "dob": "birth_date"}
    assert gold.attributes == {"ltv": "lifetime_value", "tier": "loyalty_tier"}
    assert gold.identifier == {"external_id": "customer_id"}
    assert gold.deletes == Deletes(after=60.0, max=500, per=3600.0)
    assert gold.batch == Batch(max_records=75, max_wait=1.0)


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    config = read(GOOD, tmp_path).config
    buyers, orders = config.activations["buyers"], config.sources["orders"]
    assert (orders.format, orders.encoding, orders.key, orders.before) == ("debezium", "auto", None, "key")
    assert (buyers.send, buyers.where, buyers.deletes, buyers.attributes) == ("changed", None, None, {})
    assert (buyers.batch, buyers.dead_letters) == (
        Batch(max_records=None, max_wait=1.0),
        DeadLetters(max_consecutive=1000),
    )
    assert config.shutdown_timeout == 20.0


def test_nulls_default_to_what_the_destination_does(tmp_path: Path) -> None:
    activations = read(GOOD, tmp_path).config.activations
    assert (activations["gold"].nulls, activations["buyers"].nulls) == ("unset", "skip")


@pytest.mark.parametrize("off", ["off", "false", '"off"', "${ADMIN:-off}"])
def test_admin_can_be_off(off: str, tmp_path: Path) -> None:
    assert read(bent("admin: {host: 127.0.0.1, port: 8080}", f"admin: {off}"), tmp_path).config.admin is None


def test_admin_is_on_where_nothing_is_said(tmp_path: Path) -> None:
    assert read(bent("admin: {host: 127.0.0.1, port: 8080}\n", ""), tmp_path).config.admin == Admin()


def test_fields_may_be_a_list_of_columns_and_mappings_in_any_mix(tmp_path: Path) -> None:
    text = bent(
        "    fields:\n      first_name: name", '    fields: ["Email", {dob: born, first_name: "\'x\' || name"}]'
    )
    with pytest.raises(ConfigError, match="'Email' is not a field"):  # a column's name is the name there, as written
        read(text, tmp_path)
    fields = read(text.replace('"Email"', "email"), tmp_path).config.activations["buyers"].fields
    assert fields == {"email": "email", "dob": "born", "first_name": "'x' || name"}


def test_a_list_holds_columns_whatever_sql_makes_of_their_names(tmp_path: Path) -> None:
    text = bent(
        "attributes: {ltv: lifetime_value, tier: loyalty_tier}", """attributes: [Tier, "null", '"first name"', order]"""
    )
    attributes = read(text, tmp_path).config.activations["gold"].attributes
    assert attributes == {"Tier": "Tier", "null": '"null"', "first name": '"first name"', "order": "order"}


def test_merge_keys_share_settings_between_parts(tmp_path: Path) -> None:
    text = (
        GOOD.replace("    batch: {max", "    batch: &batch {max") + "    batch:\n      <<: *batch\n      max_wait: 5s\n"
    )
    assert read(text, tmp_path).config.activations["buyers"].batch == Batch(max_records=75, max_wait=5.0)


def test_a_config_is_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        read(GOOD, tmp_path).config.name = "other"


def test_every_problem_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = GOOD
    for old, new in (
        ("name: acme", "name: ac me"),
        ("host: 127.0.0.1, port: 8080", "host: 127.0.0.1, port: eighty"),
        ("format: debezium", "format: debezum"),
        ("https://ledger.example", "http://ledger.example"),
        ("mode: mirror", "mode: mirorr"),
        ("churn_score > 0.5", "churn_score > now()"),
        ("identifier: {email: email}", "identifier: {emial: email}"),
        ("      first_name: name", "      frist: lowr(name)"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    error = problems(text, tmp_path)
    told = [(problem.place, problem.line) for problem in error.problems]
    assert told == [
        ("name", 1),
        ("admin.port", 6),
        ("sources.customers.format", 11),
        ("destinations.ledger.url", 20),
        ("activations.gold.mode", 27),
        ("activations.gold.where", 28),
        ("activations.buyers.identifier.emial", 39),
        ("activations.buyers.fields.frist", 41),
        ("activations.buyers.fields.frist", 41),
    ]
    assert str(error).splitlines()[4] == (
        f"{tmp_path}/acme.yaml: activations.gold.mode (line 27): 'mirorr' is not a sync mode; did you mean 'mirror'?"
    )


def test_one_mistake_is_one_problem(tmp_path: Path) -> None:
    unset = problems(GOOD, tmp_path, environ={})
    assert [problem.place for problem in unset.problems] == ["destinations.ledger.api_key"]
    for bad in ("    source: ${NOWHERE}", "    source: nowhere"):
        assert len(problems(bent("    source: orders", bad), tmp_path).problems) == 1
    unusable = bent("    topic: wh.marts.orders", "    topic: 5")
    assert [problem.place for problem in problems(unusable, tmp_path).problems] == ["sources.orders.topic"]
    in_a_list = bent("      first_name: name", "      - first_name: ${NOWHERE}")
    assert len(problems(in_a_list, tmp_path).problems) == 1


def test_a_wrong_part_does_not_hide_what_else_is_wrong_with_it(tmp_path: Path) -> None:
    text = GOOD
    for old, new in (
        ("wh.marts.customers", "wh marts"),
        ("encoding: auto", "encoding: xml"),
        ("birth_date: date", "birth_date: dat"),
        ('"${LEDGER_KEY}"', "5, rate_limit: fast"),
        ("    mode: mirror\n", "    mdoe: mirror\n"),
        ("where: loyalty_tier in", "where: lowr(loyalty_tier) in"),
        ("identifier: {external_id: customer_id}", "identifier: {id: customer_id, email: 5}"),
        ("fields: [first_name,", "fields: [frist_name, lower(x), 7,"),
        ("max: 500", "max: many"),
        ("max_wait: 1s", "max_wait: 1"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    assert [problem.place for problem in problems(text, tmp_path).problems] == [
        "sources.customers.topic",
        "sources.customers.encoding",
        "sources.customers.types.birth_date",
        "destinations.ledger.rate_limit",
        "destinations.ledger.api_key",
        "activations.gold.mode",
        "activations.gold.mdoe",
        "activations.gold.where",
        "activations.gold.identifier.email",
        "activations.gold.identifier.id",
        "activations.gold.fields[1]",
        "activations.gold.fields[2]",
        "activations.gold.fields.frist_name",
        "activations.gold.deletes.max",
        "activations.gold.batch.max_wait",
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: No such file or directory"):
        load(tmp_path / "missing.yaml", {}, SAMPLE_SINKS)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {}, SAMPLE_SINKS)
