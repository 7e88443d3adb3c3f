"""How notices become digests: when they are due, and what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream_sync.codes import EVENTS, QUIET, WARNINGS, Code
from stream_sync.delivery.notices import Notice
from stream_sync.model import Place
from stream_sync.notify.digest import Digest, Digests
from stream_sync.notify.wording import card, lines, text

ROOT = Path(__file__).parents[2]
PERIOD = 900.0


def notice(code: str = "column_missing", name: str = "ltv", count: int = 1, at: float = 0.0) -> Notice:
    return Notice(code, name, count, at, at, (Place("wh.people", 0, int(at)),))


def test_the_first_goes_out_at_once_and_the_rest_when_the_period_is_over() -> None:
    digests = Digests(PERIOD)
    digests.add("gold", notice(at=0.0))
    (first,) = digests.due(0.0)
    assert (first.code, first.count) == ("column_missing", 1)
    for at in (10.0, 400.0, 899.0):
        digests.add("gold", notice(name=f"n{int(at)}", count=5, at=at))
        assert digests.due(at) == []
    assert digests.next_due() == PERIOD
    (second,) = digests.due(PERIOD)
    assert (second.count, second.first, second.last) == (15, 10.0, 899.0)
    assert second.names == ("n10", "n400", "n899")
    assert len(second.places) == 3
    assert digests.next_due() is None


def test_codes_and_activations_have_digests_of_their_own() -> None:
    digests = Digests(PERIOD)
    for activation, code in (("gold", "column_missing"), ("gold", "exit_unknown"), ("all", "column_missing")):
        digests.add(activation, notice(code))
    assert len(digests.due(0.0)) == 3


def test_what_is_urgent_does_not_wait_for_the_period_and_floods_nobody() -> None:
    digests = Digests(PERIOD)
    digests.add("gold", notice("deletes_held", ""))
    assert len(digests.due(0.0)) == 1
    digests.add("gold", notice("deletes_held", ""))
    digests.add("gold", Notice("lane_halted", "offset_lost", 1, 5.0, 5.0, message="12 records are gone"))
    assert [each.code for each in digests.due(5.0)] == ["lane_halted"]
    for at in range(6, 300, 10):
        digests.add("gold", Notice("lane_halted", "offset_lost", 1, at, at))
        assert digests.due(at) == []
    digests.add("gold", Notice("lane_halted", "topic_missing", 1, 299.0, 299.0))
    assert [each.names for each in digests.due(299.0)] == [("topic_missing",)], "another reason is news"
    assert [each.count for each in digests.due(310.0)] == [1, 30]


def test_at_the_end_nothing_waits() -> None:
    digests = Digests(PERIOD)
    digests.add("gold", notice())
    digests.due(0.0)
    digests.add("gold", notice(at=1.0))
    assert len(digests.due(1.0, all_of_them=True)) == 1


def test_what_a_digest_says() -> None:
    digests = Digests(PERIOD)
    digests.add("gold", notice(count=12, at=1_700_000_000.0))
    (digest,) = digests.due(0.0)
    assert text("acme", digest) == (
        "stream-sync acme: gold: column_missing, 12 times\n"
        "of: ltv\n"
        "records lack a column that is mapped; its value is not sent, what the destination has stays. "
        "To do: mend the mapping, or the connector's column list\n"
        "first 2023-11-14T22:13:20Z, last 2023-11-14T22:13:20Z\n"
        "for instance (topic partition/offset): wh.people 0/1700000000\n"
        "more: stream-sync warnings list -c FILE --activation gold --code column_missing"
    )
    (attachment,) = card("acme", digest)["attachments"]
    assert attachment["content"]["type"] == "AdaptiveCard"
    assert [block["text"] for block in attachment["content"]["body"]] == text("acme", digest).splitlines()


def test_what_a_halt_says() -> None:
    digests = Digests(PERIOD)
    digests.add("gold", Notice("lane_halted", "offset_lost", 1, 5.0, 5.0, message="12 records are gone"))
    (digest,) = digests.due(5.0)
    said = text("acme", digest).splitlines()
    assert said[:3] == ["stream-sync acme: gold: lane_halted", "reason: offset_lost", "12 records are gone"]
    assert "To do: mend what the reason says (each reason, and what to do: docs/operating.md#halts). It then" in said[3]
    assert said[-1] == "more: stream-sync status -c FILE --activation gold"


@pytest.mark.parametrize(
    "code", [code for code in (*WARNINGS, *EVENTS) if code.code not in QUIET], ids=lambda c: c.code
)
def test_what_to_do_stands_by_itself_where_there_are_no_links(code: Code) -> None:
    """A digest is read in a chat: there are no links to follow, and no fields of a JSON document."""
    (line,) = [each for each in lines(Digest("gold", code.code, 1, 0.0, 0.0)) if "To do: " in each]
    meaning, cure = line.split(". To do: ")
    assert "](" not in line
    assert all(ROOT.joinpath(page).is_file() for page in re.findall(r"docs/\w+\.md", line)), "links say their page"
    assert not re.search(r"`(name|message|count)`", code.meaning), meaning
    without_links = re.sub(r"\[[^\]]*\]\([^)]*\)", "", code.cure)
    assert cure == "nothing" or len(re.findall(r"\w{2,}", without_links)) >= 5, "a link alone is no cure"
