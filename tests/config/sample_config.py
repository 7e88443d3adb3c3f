"""One good config file that tests bend, and how they read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from stream_sync.config.load import Loaded, load
from stream_sync.config.problems import ConfigError
from tests.config.sample_sinks import SAMPLE_SINKS

GOOD = """\
name: acme
kafka:
  bootstrap.servers: localhost:9092
  sasl.password: "${SASL_PASSWORD:-hidden-1}"
schema_registry: {url: "http://localhost:8081", basic_auth: "${SR_AUTH:-}"}
admin: {host: 127.0.0.1, port: 8080}

sources:
  customers:
    topic: wh.marts.customers
    format: debezium
    encoding: auto
    key: [customer_id]
    before: full
    types: {birth_date: date, "*": json}
  orders:
    topic: wh.marts.orders

destinations:
  ledger: {type: ledger, url: "https://ledger.example", api_key: "${LEDGER_KEY}"}
  post: {type: post, url: "https://post.example", api_key: hidden-2}

activations:
  gold:
    source: customers
    destination: ledger
    mode: mirror
    where: loyalty_tier in ('gold', 'platinum') and churn_score > 0.5
    identifier: {external_id: customer_id}
    fields: [first_name, {email: lower(email)}, {dob: birth_date}]
    attributes: {ltv: lifetime_value, tier: loyalty_tier}
    send: changed
    deletes: {after: 60s, max: 500, per: 1h}
    batch: {max_records: 75, max_wait: 1s}
  buyers:
    source: orders
    destination: post
    mode: update
    identifier: {email: email}
    fields:
      first_name: name
"""
ENVIRON = {"LEDGER_KEY": " hidden-3\n"}


def read(text: str, folder: Path, environ: Mapping[str, str] = ENVIRON) -> Loaded:
    path = folder / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ, SAMPLE_SINKS)


def problems(text: str, folder: Path, environ: Mapping[str, str] = ENVIRON) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(text, folder, environ)
    return caught.value


def bent(old: str, new: str) -> str:
    """The good file with one piece of it replaced."""
    assert GOOD.count(old) == 1, f"{old!r} stands {GOOD.count(old)} times in the sample"
    return GOOD.replace(old, new)
