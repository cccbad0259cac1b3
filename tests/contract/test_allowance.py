"""Bytes that may be read: by one question, and by all of a tenant in a day, whichever processes answer them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.allowance import Allowance
from shared.errors import DayUsedUpError, QueryTooLargeError, StoreUnavailableError
from shared.limits import UNLIMITED, Limits
from shared.storage.base import ObjectStore
from shared.storage.folder import FolderStore

DAY = Limits(query_bytes=60, day_bytes=100)


class Moment:
    """A clock and a calendar that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.at = datetime(2024, 5, 1, 23, 59, tzinfo=UTC)


on_both = pytest.mark.parametrize("store_spec", ["folder", "s3"], indirect=True)


def process_on(store: ObjectStore, moment: Moment) -> Allowance:
    return Allowance(store, now=lambda: moment.at, clock=lambda: moment.seconds, tell_seconds=10)


def spend(process: Allowance, size: int, limits: Limits = DAY) -> None:
    process.require("shop", limits, size)
    process.spend("shop", limits, size)


def test_a_question_that_would_read_too_much_is_told_how_much(tmp_path: Path) -> None:
    process = process_on(FolderStore(tmp_path), Moment())
    with pytest.raises(QueryTooLargeError) as raised:
        spend(process, 61)
    assert raised.value.details == {"bytes": 61, "max_bytes": 60}
    spend(process, 60)


@on_both
def test_what_one_process_read_the_others_know_some_seconds_later(store: ObjectStore) -> None:
    moment = Moment()
    one, other = process_on(store, moment), process_on(store, moment)
    spend(one, 50)
    spend(other, 20)
    assert (one.spent("shop"), other.spent("shop")) == (50, 20)
    moment.seconds = 11
    assert (one.spent("shop"), other.spent("shop")) == (50, 70)
    moment.seconds = 22
    assert (one.spent("shop"), other.spent("shop")) == (70, 70)
    with pytest.raises(DayUsedUpError) as raised:
        spend(one, 31)
    assert raised.value.details["retry_after_seconds"] == 60  # it is a minute to midnight
    spend(one, 30)


@on_both
def test_a_new_day_begins_with_nothing(store: ObjectStore) -> None:
    moment = Moment()
    one = process_on(store, moment)
    spend(one, 60)
    moment.seconds = 11
    assert one.spent("shop") == 60
    moment.at = datetime(2024, 5, 2, 0, 0, 1, tzinfo=UTC)
    moment.seconds = 22
    spend(one, 60)
    moment.seconds = 33
    assert one.spent("shop") == 60
    assert json.loads(store.get("spent/shop.json")[0]) == {"day": "2024-05-02", "bytes": 60}


def test_a_silent_store_stops_nobody_and_nothing_is_forgotten(tmp_path: Path) -> None:
    class Silent(FolderStore):
        is_silent = True

        def get(self, key: str, *, version: str = ""):
            if self.is_silent:
                raise StoreUnavailableError("silent")
            return super().get(key, version=version)

    store, moment = Silent(tmp_path), Moment()
    one = process_on(store, moment)
    spend(one, 40)
    moment.seconds = 11
    assert one.spent("shop") == 40
    store.is_silent = False
    moment.seconds = 22
    assert one.spent("shop") == 40
    assert json.loads(store.get("spent/shop.json")[0])["bytes"] == 40


def test_where_nobody_limits_a_day_nothing_is_written(tmp_path: Path) -> None:
    process = process_on(FolderStore(tmp_path), Moment())
    spend(process, 10**12, UNLIMITED)
    assert not list(FolderStore(tmp_path).list(""))
