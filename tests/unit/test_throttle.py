"""How often, and how many at once, somebody may ask: worked out by hand with a clock that stands still."""

from __future__ import annotations

import threading

import pytest

from shared.errors import InvalidKeyRequestError, TooManyAtOnceError
from shared.limits import Limits
from shared.throttle import MAX_BUCKETS, Pace, Throttle

ONE = Pace("key", "shop/k1", 0.5)
TENANT = Pace("tenant", "shop/", 1.0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock)


def test_ten_seconds_worth_may_come_at_once_and_then_one_every_two_seconds(throttle: Throttle, clock: Clock) -> None:
    assert [throttle.take(ONE).remaining for _ in range(5)] == [4, 3, 2, 1, 0]
    refused = throttle.take(ONE)
    assert (refused.wait_seconds, refused.remaining) == (2, 0)
    clock.now = 1.9
    assert throttle.take(ONE).wait_seconds == 1
    clock.now = 2.0
    assert throttle.take(ONE).wait_seconds == 0
    assert throttle.take(ONE).wait_seconds == 2
    clock.now = 1_000.0
    assert throttle.take(ONE).remaining == 4, "more than a burst does not add up"


def test_a_refused_request_counts_by_no_pace(throttle: Throttle) -> None:
    for _ in range(5):
        throttle.take(ONE, TENANT)
    for _ in range(20):
        assert throttle.take(ONE, TENANT).pace == ONE
    assert throttle.take(TENANT).remaining == 4  # ten, less five, less this one


def test_the_pace_with_the_least_left_is_told_as_the_draft_writes_it(throttle: Throttle) -> None:
    assert throttle.take(ONE, TENANT).headers() == {
        "RateLimit-Policy": '"key";q=5;w=10',
        "RateLimit": '"key";r=4;t=2',
    }
    for _ in range(7):
        throttle.take(TENANT)
    assert throttle.take(ONE, TENANT).headers() == {
        "RateLimit-Policy": '"tenant";q=10;w=10',
        "RateLimit": '"tenant";r=1;t=9',
    }


def test_without_a_pace_nothing_is_told(throttle: Throttle) -> None:
    assert throttle.take() is None


def test_two_who_ask_do_not_count_for_each_other(throttle: Throttle) -> None:
    for number in range(5):
        assert throttle.take(ONE).remaining == 4 - number
    assert throttle.take(Pace("key", "rival/k1", 0.5)).remaining == 4


def test_who_asks_in_ever_new_names_takes_no_more_memory(throttle: Throttle) -> None:
    for number in range(MAX_BUCKETS + 10):
        throttle.take(Pace("key", f"shop/{number}", 1.0))
    assert len(throttle._buckets) == MAX_BUCKETS


def test_as_many_at_once_as_may_be_and_a_failure_gives_its_place_back(throttle: Throttle) -> None:
    def fail() -> None:
        with throttle.running(("shop/k", 2), ("shop/", 3)):
            raise ValueError

    with throttle.running(("shop/k", 2), ("shop/", 3)), throttle.running(("shop/k", 2), ("shop/", 3)):
        with pytest.raises(TooManyAtOnceError):
            fail()
        with throttle.running(("shop/other", None), ("shop/", 3)):
            with pytest.raises(TooManyAtOnceError), throttle.running(("shop/third", None), ("shop/", 3)):
                pass
    for _ in range(5):
        with pytest.raises(ValueError):
            fail()
    assert not throttle._running


def test_of_many_threads_at_once_exactly_as_many_pass_as_may() -> None:
    throttle, passed = Throttle(lambda: 0.0), []

    def take() -> None:
        for _ in range(20):
            passed.append(throttle.take(TENANT).wait_seconds == 0)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 10


def test_limits_of_a_key_a_tenant_and_the_installation() -> None:
    general = Limits(requests_per_second=5, page_rows=100, day_bytes=10)
    tenant = Limits(requests_per_second=50)
    key = Limits(page_rows=1_000, requests_per_second=1, query_bytes=7)
    of_tenant = tenant.over(general)
    assert of_tenant == Limits(requests_per_second=50, page_rows=100, day_bytes=10)
    assert key.within(of_tenant) == Limits(requests_per_second=1, page_rows=100, day_bytes=10, query_bytes=7)
    assert Limits.from_document(key.document()) == key


@pytest.mark.parametrize(
    "document",
    [{"rows": 1}, {"page_rows": 0}, {"page_rows": -1}, {"page_rows": 1.5}, {"page_rows": True}, {"day_bytes": "9"},
     {"requests_per_second": float("nan")}, {"requests_per_second": float("inf")}, {"day_bytes": 2**63}],
    ids=str,
)  # fmt: skip
def test_a_limit_that_means_nothing_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(InvalidKeyRequestError):
        Limits.from_document(document)
