"""The header Prefer, read as RFC 7240 says; what is no preference is none, and costs no time."""

from __future__ import annotations

import time

import pytest

from shared.api.prefer import MAX_WAIT_SECONDS, Preference, preference_from

LATER = Preference(respond_async=True)


@pytest.mark.parametrize(
    ("headers", "preference"),
    [
        # Examples of the standard, sections 2, 4.1 and 4.3.
        (["respond-async, wait=10"], Preference(True, 10)),
        (["respond-async", "wait=10"], Preference(True, 10)),
        (["lenient", "respond-async, wait=100"], Preference(True, MAX_WAIT_SECONDS)),
        (["priority=5"], Preference()),
        (['return=minimal; foo="some parameter", respond-async'], LATER),
        (["Foo; Bar"], Preference()),
        (['Foo; bar=""'], Preference()),
        # Names have no case, values may be quoted, blanks may stand around, the first of several counts.
        (["Respond-Async"], LATER),
        (['respond-async;x="a, wait=3" , WAIT = "7"'], Preference(True, 7)),
        (["wait=3, respond-async, wait=9"], Preference(True, 3)),
        (["respond-async=1"], LATER),
        (["\trespond-async\t"], LATER),
        (["wait=0, respond-async"], Preference(True, 0)),
        # What is no whole number of seconds is no wait.
        (["respond-async, wait=-1"], LATER),
        (["respond-async, wait=1.5"], LATER),
        (["respond-async, wait=ten"], LATER),
        (["respond-async, wait=٣"], LATER),
        (["respond-async, wait"], LATER),
        (["respond-async, wait=99999999999999999999"], LATER),
        ([], Preference()),
        ([""], Preference()),
        ([",,, ,"], Preference()),
        (["respond-asyncs"], Preference()),
        (['"respond-async"'], Preference()),
        (["x=respond-async"], Preference()),
        (['x="respond-async'], Preference()),
    ],
)
def test_a_preference_is_what_the_standard_says(headers: list[str], preference: Preference) -> None:
    assert preference_from(headers) == preference


@pytest.mark.parametrize("piece", ["; ", ",", '"', '"\\', "a=", ' ; "', "wait=1;"])
def test_a_header_made_to_take_long_does_not(piece: str) -> None:
    started = time.monotonic()
    preference_from([piece * 100_000])
    assert time.monotonic() - started < 0.5


def test_what_was_applied_is_told() -> None:
    assert LATER.applied == "respond-async"
    assert Preference(True, 10).applied == "respond-async, wait=10"
