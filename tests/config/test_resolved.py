"""`validate --resolved`: every default, no secret, and the same config when it is loaded again."""

from __future__ import annotations

from pathlib import Path

from stream_sync.config.resolved import resolved
from tests.config.sample_config import GOOD, bent, read


def test_defaults_are_shown_and_secrets_are_not(tmp_path: Path) -> None:
    text = resolved(read(GOOD, tmp_path).config)
    assert "hidden" not in text
    for line in ("api_key: '***'", "sasl.password: '***'", "send: changed", "nulls: skip", "max_consecutive: 1000"):
        assert line in text
    assert "shutdown_timeout: 20s" in text
    assert "rate_limit: 3000/3s" in text


def test_what_is_shown_is_the_same_config(tmp_path: Path) -> None:
    tricky = bent("first_name: name", "first_name: \"'$${x}' || name\"").replace("port: 8080}", "port: 0}")
    for original in (GOOD, tricky, bent("admin: {host: 127.0.0.1, port: 8080}", "admin: off")):
        config = read(original, tmp_path).config
        again = read(resolved(config), tmp_path).config
        assert again.model_dump() == config.model_dump()
