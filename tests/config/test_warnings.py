"""What a person should know about a config that can be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.sample_config import GOOD, bent, read

SECOND_POST = '  second: {type: post, url: "https://POST.example/", api_key: hidden-2}\n'
USES_SECOND = """\
  again:
    source: orders
    destination: second
    mode: update
    identifier: {email: email}
    fields: [email]
"""


@pytest.mark.parametrize(
    ("text", "place", "gist"),
    [
        (bent("  orders:\n", "  spare: {topic: wh.spare}\n  orders:\n"), "sources.spare", "not used by any activation"),
        (
            bent("  post: {", "  spare: {type: post, url: https://a.example, api_key: x}\n  post: {"),
            "destinations.spare",
            "not used by any activation",
        ),
        (
            GOOD + "notify:\n  oncall: {type: webhook, url: https://hooks.example/T0}\n",
            "notify.oncall",
            "until one has `warnings: {notify: oncall}`",
        ),
        (
            bent("  post: {", SECOND_POST + "  post: {") + USES_SECOND,
            "destinations.post",
            "the same account as destinations.second",
        ),
        (
            bent('types: {birth_date: date, "*": json}', "types: {birth_date: date}"),
            "activations.gold",
            "lane will halt with types_missing",
        ),
        (bent("    fields:\n      first_name: name\n", ""), "activations.buyers", "only the identifier is sent"),
        (bent("attributes: {ltv", "attributes: {slow: a, ltv"), "activations.gold.attributes.slow", "is slow"),
        (
            bent('http://localhost:8081", basic_auth: "${SR_AUTH:-}"', 'http://registry:8081", basic_auth: "a:b"'),
            "schema_registry.url",
            "`basic_auth` would be sent",
        ),
        (
            bent('http://localhost:8081", basic_auth: "${SR_AUTH:-}"', 'http://registry:8081", token: hush'),
            "schema_registry.url",
            "`token` would be sent",
        ),
    ],
)
def test_a_warning_leaves_the_config_usable(text: str, place: str, gist: str, tmp_path: Path) -> None:
    (warning,) = read(text, tmp_path).warnings
    assert warning.place == place
    assert warning.line
    assert gist in warning.message


def test_types_are_only_asked_for_where_some_are_given(tmp_path: Path) -> None:
    assert read(bent('    types: {birth_date: date, "*": json}\n', ""), tmp_path).warnings == ()
    assert read(GOOD, tmp_path).warnings == ()
