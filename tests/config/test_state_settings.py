"""`state` of the config file."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_sync.config.resolved import resolved
from stream_sync.config.rules import state as rules
from tests.config.sample_config import GOOD, problems, read


def with_state(state: str, text: str = GOOD) -> str:
    return f"state: {state}\n{text}"


def sqlite(folder: Path) -> str:
    return f'{{url: "sqlite://{folder}/state.db"}}'


def test_it_is_off_unless_the_file_says_so(tmp_path: Path) -> None:
    assert read(GOOD, tmp_path).config.state is None
    assert read(with_state("off"), tmp_path).config.state is None
    config = read(with_state(sqlite(tmp_path)), tmp_path).config
    assert config.state is not None
    assert {activation.state for activation in config.activations.values()} == {"on"}


def test_an_activation_may_leave_it(tmp_path: Path) -> None:
    text = GOOD.replace("    mode: update\n", "    mode: update\n    state: off\n")
    config = read(with_state(sqlite(tmp_path), text), tmp_path).config
    assert [activation.state for activation in config.activations.values()] == ["on", "off"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgres://host/db", "is of no kind that is known"),
        ("state.db", "is of no kind that is known"),
        ("sqlite://state.db", "whole path"),
        ("sqlite:///", "whole path"),
        ("sqlite:state.db", "whole path"),
        ("sqlite:///:memory:", "whole path"),
        ("redis://", "names no host"),
        ("redis://user:hidden-9@host:port", "is no address"),
        ("redis://user:hidden-9@host/zero", "number of a database"),
        ("rediss://host?ssl_cert_reqs=none", "always verified"),
        ("redis://host?ssl_ca_certs=/ca.pem", "write rediss://"),
        ("sqlite:///no/such/folder/state.db", "no folder /no/such/folder"),
        ("sqlite:///tmp", "is a folder"),
        ("rediss://user:hidden-9@host?ssl_ca_certs=/no/such/ca.pem", "no file /no/such/ca.pem"),
    ],
)
def test_what_is_no_store_is_told(url: str, said: str, tmp_path: Path) -> None:
    (problem,) = problems(with_state(f'{{url: "{url}"}}'), tmp_path).problems
    assert problem.place == "state.url"
    assert said in problem.message
    assert "hidden" not in problem.message


def test_the_address_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("rediss://user:hidden-9@redis.example:6379/0\n")
    loaded = read(with_state('{url: "${file:url}", key: "hidden-9 but long enough"}'), tmp_path)
    assert "hidden" not in resolved(loaded.config) + repr(loaded.config) + str(loaded.warnings)
    assert loaded.config.state is not None
    assert loaded.config.state.url.reveal().endswith("/0")


def test_a_short_key_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems(with_state('{url: "sqlite:///tmp/state.db", key: short}'), tmp_path).problems
    assert problem.place == "state.key"


def test_a_server_far_away_should_be_encrypted_and_its_client_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings = read(with_state('{url: "redis://far.example"}'), tmp_path).warnings
    assert "state.url" in [warning.place for warning in warnings]
    assert "state.url" not in [w.place for w in read(with_state('{url: "redis://localhost"}'), tmp_path).warnings]
    monkeypatch.setattr(rules, "find_spec", lambda _name: None)
    (problem,) = problems(with_state('{url: "rediss://far.example"}'), tmp_path).problems
    assert "stream-sync[redis]" in problem.message


def test_a_mirror_without_it_beside_one_with_it_is_a_problem(tmp_path: Path) -> None:
    text = GOOD.replace("    mode: mirror\n", "    mode: mirror\n    state: off\n")
    read(with_state(sqlite(tmp_path), text), tmp_path)
    beside = text.replace("    destination: post\n", "    destination: ledger\n").replace(
        "{email: email}", "{external_id: email}"
    )
    (problem,) = problems(with_state(sqlite(tmp_path), beside), tmp_path).problems
    assert problem.place == "activations.gold.state"


def test_there_must_be_one_to_use(tmp_path: Path) -> None:
    text = GOOD.replace("    mode: update\n", "    mode: update\n    state: on\n")
    (problem,) = problems(text, tmp_path).problems
    assert problem.place == "activations.buyers.state"


def test_with_it_a_mirror_of_a_segment_needs_no_rows_of_before(tmp_path: Path) -> None:
    keys = GOOD.replace("    before: full\n", "    before: key\n")
    (problem,) = problems(keys, tmp_path).problems
    assert "`state`" in problem.message
    read(with_state(sqlite(tmp_path), keys), tmp_path)
    off = keys.replace("    mode: mirror\n", "    mode: mirror\n    state: off\n")
    (problem,) = problems(with_state(sqlite(tmp_path), off), tmp_path).problems
    assert problem.place == "activations.gold.where"


def test_of_a_mirror_of_a_segment_the_whole_key_must_identify(tmp_path: Path) -> None:
    keys = GOOD.replace("    before: full\n", "    before: key\n").replace(
        "key: [customer_id]", "key: [customer_id, program]"
    )
    (problem,) = problems(with_state(sqlite(tmp_path), keys), tmp_path).problems
    assert problem.place == "activations.gold.identifier.external_id"
    assert "it lacks program" in problem.message
