"""Which mirrors are safe to run: they must know who leaves, and stand alone on their account."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.sample_config import GOOD, bent, problems, read

KEYS_ONLY = bent("before: full", "before: key").replace(
    "    where: loyalty_tier in ('gold', 'platinum') and churn_score > 0.5\n", ""
)
BESIDE = """\
  beside:
    source: orders
    destination: ledger
    mode: MODE
    identifier: {email: email}
    fields: [email]
"""


def test_a_mirror_of_keys_may_identify_by_key_columns(tmp_path: Path) -> None:
    read(KEYS_ONLY, tmp_path)
    read(KEYS_ONLY.replace("external_id: customer_id", "external_id: \"'c-' || customer_id\""), tmp_path)


def test_a_mirror_of_keys_cannot_identify_by_other_columns(tmp_path: Path) -> None:
    text = KEYS_ONLY.replace("external_id: customer_id", 'external_id: "customer_id || region"')
    (problem,) = problems(text, tmp_path).problems
    assert problem.place == "activations.gold.identifier.external_id"
    assert "region is not of the key (customer_id)" in problem.message


FLATTENED = bent("format: debezium", "format: flattened")


def test_a_mirror_of_a_segment_cannot_see_exits_in_a_flattened_topic(tmp_path: Path) -> None:
    (problem,) = problems(FLATTENED, tmp_path).problems
    assert problem.place == "activations.gold.where"
    assert "no ExtractNewRecordState" in problem.message


def test_a_mirror_of_everybody_may_read_a_flattened_topic(tmp_path: Path) -> None:
    flattened = KEYS_ONLY.replace("format: debezium", "format: flattened")
    for before in ("full", "key"):
        read(flattened.replace("before: key", f"before: {before}"), tmp_path)


def test_where_the_key_is_not_given_the_first_record_decides(tmp_path: Path) -> None:
    read(
        KEYS_ONLY.replace("    key: [customer_id]\n", "").replace("external_id: customer_id", "external_id: email"),
        tmp_path,
    )


@pytest.mark.parametrize(("mode", "fine"), [("update", True), ("upsert", False), ("mirror", False)])
@pytest.mark.parametrize("first", [True, False])
def test_beside_a_mirror_only_update_is_possible(mode: str, fine: bool, first: bool, tmp_path: Path) -> None:
    block = BESIDE.replace("MODE", mode + ("\n    deletes: {max: 1, per: 1h}" if mode == "mirror" else ""))
    text = GOOD.replace("activations:\n", f"activations:\n{block}") if first else GOOD + block
    if fine:
        read(text, tmp_path)
        return
    (problem,) = problems(text, tmp_path).problems
    assert problem.place == ("activations.gold.mode" if first else "activations.beside.mode")
    assert "beside a mirror only update is possible" in problem.message


@pytest.mark.parametrize(
    ("second", "same"),
    [
        ('type: ledger, url: "https://ledger.example/", api_key: hidden-3', True),
        ('type: ledger, url: "https://ledger.example", api_key: hidden-3, rate_limit: 5/s', True),
        ('type: ledger, url: "https://ledger.example", api_key: hidden-4', False),
        ('type: ledger, url: "https://other.example", api_key: hidden-3', False),
        ('type: post, url: "https://ledger.example", api_key: hidden-3', False),
    ],
)
def test_an_account_under_two_names_is_one_account(second: str, same: bool, tmp_path: Path) -> None:
    text = bent("  post: {", f"  second: {{{second}}}\n  post: {{")
    text += BESIDE.replace("MODE", "upsert").replace("destination: ledger", "destination: second")
    if same:
        (problem,) = problems(text, tmp_path).problems
        assert problem.place == "activations.beside.mode"
    else:
        read(text, tmp_path)


def test_two_upserts_may_share_an_account(tmp_path: Path) -> None:
    text = bent("mode: update", "mode: upsert") + BESIDE.replace("MODE", "upsert").replace("ledger", "post")
    read(text, tmp_path)
