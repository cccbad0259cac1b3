"""Local time without asking the engine for each row gives what the engine's own conversion gives."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.datasets.questions.ranges import local_time, zone_named
from shared.duck import Duck, open_duck
from shared.errors import InvalidTimezoneError

ZONES = (
    "UTC", "Europe/London", "Europe/Dublin", "America/New_York", "America/Sao_Paulo", "Africa/Casablanca",
    "Africa/Cairo", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe", "Pacific/Apia",
    "Pacific/Chatham", "America/Caracas",
)  # fmt: skip


@pytest.fixture(scope="module")
def duck() -> Duck:
    return open_duck(memory_limit_mb=512, threads=2, extensions=())


@pytest.mark.parametrize("name", ZONES)
def test_every_half_hour_of_twenty_years_is_the_same_wall_clock_time(duck, name):
    first, last = datetime(2005, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    sql = local_time("ordered_at", zone_named(name), first, last)
    wrong = duck.execute(
        f"SELECT ordered_at FROM (SELECT unnest(generate_series($first::TIMESTAMPTZ, $last::TIMESTAMPTZ, "
        f"INTERVAL 30 MINUTE)) AS ordered_at) WHERE {sql} <> timezone('{name}', ordered_at)",
        {"first": first, "last": last},
    )
    assert wrong == []


@pytest.mark.parametrize("name", ["Europe/London", "America/New_York"])
def test_the_seconds_around_a_change_of_the_clock_are_right(duck, name):
    first = datetime(2024, 1, 1, tzinfo=UTC)
    for change in (datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 11, 3, 6, tzinfo=UTC)):
        sql = local_time("ordered_at", zone_named(name), first, change)
        for around in ("- INTERVAL 1 MICROSECOND", ""):
            source = f"(SELECT $change::TIMESTAMPTZ {around} AS ordered_at)"
            same = duck.value(f"SELECT {sql} = timezone('{name}', ordered_at) FROM {source}", {"change": change})
            assert same, (name, change, around)


@pytest.mark.parametrize(
    "name",
    ["Mars/Base", "", "Europe", "../../etc/passwd", "/etc/localtime", "localtime", "posix/UTC", "zone.tab", "a\0b"],
)
def test_what_is_no_zone_is_refused(name):
    with pytest.raises(InvalidTimezoneError):
        zone_named(name)
