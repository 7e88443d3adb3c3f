"""Which warnings of an activation go to people: what `only` and `except` say, and what they cannot hold back."""

from __future__ import annotations

import pytest

from stream_sync.config.notifying import Warnings
from stream_sync.delivery.notices import Notice
from stream_sync.notify.heralds import is_wanted


def wanted(warnings: Warnings) -> list[str]:
    codes = ("column_missing", "value_truncated", "deletes_held", "lane_halted", "lane_resumed")
    return [code for code in codes if is_wanted(warnings, Notice(code, "", 1, 0.0, 0.0))]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["column_missing", "value_truncated", "deletes_held"]),
        ({"only": ["column_missing"]}, ["column_missing", "deletes_held"]),
        ({"only": []}, ["deletes_held"]),
        ({"except": ["column_missing"]}, ["value_truncated", "deletes_held"]),
        ({"except": ["deletes_held"]}, ["column_missing", "value_truncated"]),
        ({"only": ["column_missing"], "except": ["column_missing"]}, ["deletes_held"]),
        ({"only": ["deletes_held"], "except": ["deletes_held"]}, []),
    ],
)  # fmt: skip
def test_only_and_except_choose_what_is_sent_and_halts_go_out_whatever_they_say(
    settings: dict[str, list[str]], expected: list[str]
) -> None:
    assert wanted(Warnings.model_validate(settings)) == [*expected, "lane_halted", "lane_resumed"]
