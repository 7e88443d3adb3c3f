"""When the next request may start."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stream_sync.delivery.pacing import BASE, CAP, LONGEST_WAIT, THROTTLE_DEFAULT, Gate, backoff


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


@pytest.mark.parametrize(
    ("after", "waits"),
    [
        (None, THROTTLE_DEFAULT),
        (7.0, 7.0),
        (0.0, THROTTLE_DEFAULT),
        (-30.0, THROTTLE_DEFAULT),
        (math.nan, THROTTLE_DEFAULT),
        (math.inf, THROTTLE_DEFAULT),
        (1e12, LONGEST_WAIT),
    ],
)
def test_a_wait_that_is_none_is_not_believed(after: float | None, waits: float) -> None:
    """A sink of somebody else's may hand on whatever its vendor says."""
    gate = Gate(8, half)
    gate.start()
    gate.throttled(100.0, after)
    assert gate.throttled_until == 100.0 + waits
    gate.start()
    gate.failed(100.0, after)
    assert 100.0 + waits <= gate.throttled_until <= 100.0 + LONGEST_WAIT


class Gates(RuleBasedStateMachine):
    """Requests start whenever the gate lets them, and end in any order, in any way."""

    MOST = 4

    def __init__(self) -> None:
        super().__init__()
        self.draws = 0.0
        self.gate = Gate(self.MOST, lambda: self.draws)
        self.now = 0.0
        self.not_before = 0.0
        self.in_flight = 0
        self.is_down = False
        self.since_success = 0

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 10.0, 70.0]), draws=st.floats(0, 1))
    def time_passes(self, seconds: float, draws: float) -> None:
        self.now += seconds
        self.draws = draws

    @rule(wanted=st.integers(1, 6))
    def requests_start(self, wanted: int) -> None:
        for _ in range(wanted):
            if not self.gate.may_start(self.now):
                return
            assert self.now >= self.not_before, "before the vendor's wait was over"
            assert self.in_flight < (1 if self.is_down else self.MOST)
            self.gate.start()
            self.in_flight += 1

    @precondition(lambda self: self.in_flight)
    @rule(
        how=st.sampled_from(["succeeded", "failed", "throttled", "dropped"]),
        after=st.sampled_from([None, 0.0, -5.0, 0.5, 30.0, math.nan, math.inf, 1e9]),
    )
    def one_ends(self, how: str, after: float | None) -> None:
        self.in_flight -= 1
        asked = after if after is not None and 0 < after < LONGEST_WAIT else 0.0
        match how:
            case "succeeded":
                self.gate.succeeded()
                self.is_down, self.since_success = False, 0
            case "failed":
                self.gate.failed(self.now, after)
                self.is_down = True
                self.since_success += 1
                self.not_before = max(self.not_before, self.now + asked)
            case "throttled":
                self.gate.throttled(self.now, after)
                self.not_before = max(self.not_before, self.now + (asked or 1.0))
            case _:
                self.gate.dropped()

    @invariant()
    def it_agrees(self) -> None:
        assert self.gate.in_flight == self.in_flight
        assert self.gate.down is self.is_down
        assert self.not_before <= self.gate.throttled_until <= self.now + LONGEST_WAIT

    def teardown(self) -> None:
        """It never stays shut for ever."""
        while self.in_flight:
            self.one_ends("dropped", None)
        assert self.gate.may_start(self.now + LONGEST_WAIT)


TestGates = Gates.TestCase
TestGates.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)
