"""When the next request may start."""

from __future__ import annotations

import pytest

from stream_sync.delivery.pacing import BASE, CAP, THROTTLE_DEFAULT, Gate, backoff


def half() -> float:
    return 0.5


def longest() -> float:
    return 1.0


@pytest.mark.parametrize(
    ("failures", "most"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (7, 32.0), (8, 60.0), (50, 60.0), (10**6, 60.0)]
)
def test_the_wait_doubles_up_to_a_minute_and_is_drawn_from_all_of_it(failures: int, most: float) -> None:
    assert backoff(failures, lambda: 0.0) == 0.0
    assert backoff(failures, half) == most / 2
    assert backoff(failures, longest) == most
    assert most <= CAP


def test_as_many_requests_at_once_as_the_destination_takes() -> None:
    gate = Gate(2, half)
    gate.start()
    assert gate.may_start(0.0)
    gate.start()
    assert not gate.may_start(0.0)
    gate.succeeded()
    assert gate.may_start(0.0)


def test_after_a_failure_one_request_at_a_time_until_one_succeeds() -> None:
    gate = Gate(8, half)
    gate.start()
    gate.failed(100.0, None)
    assert gate.down
    assert not gate.may_start(100.0 + BASE / 2 - 0.01)
    assert gate.may_start(100.0 + BASE / 2)
    gate.start()
    assert not gate.may_start(1000.0)
    gate.failed(1000.0, None)
    assert not gate.may_start(1000.0 + BASE - 0.01)
    assert gate.may_start(1000.0 + BASE)
    gate.start()
    gate.succeeded()
    assert not gate.down
    gate.start()
    assert gate.may_start(1001.0)


def test_requests_that_fail_together_are_one_failure() -> None:
    gate = Gate(8, longest)
    for _ in range(8):
        gate.start()
    for _ in range(8):
        gate.failed(100.0, None)
    assert gate.may_start(100.0 + BASE)
    gate.start()
    gate.failed(200.0, None)
    assert not gate.may_start(200.0 + 2 * BASE - 0.01)
    assert gate.may_start(200.0 + 2 * BASE)


def test_while_down_nothing_starts_beside_a_request_from_before() -> None:
    gate = Gate(8, half)
    gate.start()
    gate.start()
    gate.failed(100.0, None)
    assert not gate.may_start(1000.0)
    gate.dropped()
    assert gate.may_start(1000.0)


@pytest.mark.parametrize(("after", "starts"), [(0.1, 0.5), (30.0, 30.0), (900.0, 900.0)])
def test_the_wait_that_the_vendor_asks_for_holds_where_it_is_longer(after: float, starts: float) -> None:
    gate = Gate(8, longest)
    gate.start()
    gate.failed(0.0, after)
    assert not gate.may_start(starts - 0.01)
    assert gate.may_start(starts)


def test_a_shorter_wait_never_ends_a_longer_one() -> None:
    gate = Gate(8, half)
    gate.start()
    gate.start()
    gate.throttled(0.0, 900.0)
    gate.throttled(1.0, 2.0)
    assert gate.throttled_until == 900.0
    assert not gate.may_start(899.0)


def test_being_throttled_is_no_failure() -> None:
    gate = Gate(8, half)
    gate.start()
    gate.throttled(0.0, None)
    assert not gate.down
    assert not gate.may_start(THROTTLE_DEFAULT - 0.01)
    gate.start()
    assert gate.may_start(THROTTLE_DEFAULT)
    gate.failed(10.0, None)
    assert gate.throttled_until == 10.0 + BASE / 2


def test_being_throttled_while_down_keeps_to_one_request_at_a_time() -> None:
    gate = Gate(8, half)
    gate.start()
    gate.failed(0.0, None)
    gate.start()
    gate.throttled(1.0, 3.0)
    assert gate.down
    assert gate.may_start(4.0)
    gate.start()
    assert not gate.may_start(5.0)


def test_successes_are_answers_that_were_no_failure() -> None:
    gate = Gate(8, half)
    for ended in (gate.succeeded, gate.dropped, lambda: gate.failed(0.0, None), lambda: gate.throttled(0.0, 1.0)):
        gate.start()
        ended()
    assert gate.successes == 1
    assert gate.in_flight == 0
