"""How notices become digests: when they are due, and what they say."""

from __future__ import annotations

from stream_sync.delivery.notices import Notice
from stream_sync.model import Place
from stream_sync.notify.digest import Digests
from stream_sync.notify.wording import card, text

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
    lines = text("acme", digest).splitlines()
    assert lines[:3] == ["stream-sync acme: gold: lane_halted", "reason: offset_lost", "12 records are gone"]
    assert lines[-1] == "more: stream-sync status -c FILE --activation gold"
