"""Which destinations of a file are one account at the vendor."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.config.rules.accounts import is_same
from stream_sync.config.rules.parts import Destination
from stream_sync.config.sink_types import installed

BRAZE = {"type": "braze", "url": "https://rest.fra-01.braze.eu", "api_key": "one"}
VOYADO = {"type": "voyado", "url": "https://acme.voyado.com", "api_key": "one"}
CRISP = {"type": "crisp", "website_id": "a", "identifier": "one", "key": "one", "tier": "plugin"}


def destination(settings: dict[str, Any]) -> Destination:
    sink = installed()[settings["type"]]()
    return Destination(sink.Settings.model_validate(settings), sink)


@pytest.mark.parametrize(
    ("settings", "other", "same"),
    [
        (CRISP, {"identifier": "two", "key": "two"}, True),
        (CRISP, {"website_id": "b"}, False),
        (VOYADO, {"api_key": "two"}, True),
        (VOYADO, {"url": "https://ACME.voyado.com/", "in_flight": 2}, True),
        (VOYADO, {"url": "https://other.voyado.com"}, False),
        (BRAZE, {"spacing": 1.0}, True),
        (BRAZE, {"api_key": "two"}, False),  # one cluster has the workspaces of many
        (BRAZE, {"url": "https://rest.fra-02.braze.eu"}, False),
    ],
)
def test_an_account_is_what_the_vendor_has_not_who_asks(
    settings: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    assert is_same(destination(settings), destination({**settings, **other})) is same
