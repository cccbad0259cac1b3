"""Rules of keys as documents: what is read is what was written, and what has another shape is refused."""

from __future__ import annotations

import pytest

from shared.datasets.rules import EVERYTHING, DataRules
from shared.errors import InvalidKeyRequestError

TOLD = {
    "rows": {"orders": {"country__in": "DE,AT", "channel": "web"}, "customers": {"country": "DE"}},
    "masked": {"customers": ["name", "city"], "orders": ["channel"]},
}


def test_what_is_read_is_what_was_written() -> None:
    rules = DataRules.from_document(TOLD)
    assert rules.document() == {
        "rows": {"customers": {"country": "DE"}, "orders": {"channel": "web", "country__in": "DE,AT"}},
        "masked": {"customers": ["city", "name"], "orders": ["channel"]},
    }
    assert DataRules.from_document(rules.document()) == rules


def test_the_digest_tells_rules_apart_and_not_their_order() -> None:
    turned = {"masked": dict(reversed(TOLD["masked"].items())), "rows": dict(reversed(TOLD["rows"].items()))}
    assert DataRules.from_document(turned).digest == DataRules.from_document(TOLD).digest
    other = DataRules.from_document(TOLD | {"masked": {}})
    assert len({EVERYTHING.digest, other.digest, DataRules.from_document(TOLD).digest}) == 3
    assert EVERYTHING.digest == ""


def test_no_rules_are_no_rules() -> None:
    assert not DataRules.from_document({})
    assert not DataRules.from_document({"rows": {}, "masked": {}})


@pytest.mark.parametrize(
    "told",
    [
        {"rows": []},
        {"rows": None},
        {"rows": "orders"},
        {"masked": ["email"]},
        {"masked": {"customers": "email"}},
        {"masked": {"customers": None}},
        {"rows": {"orders": {"country": 5}}},
        {"rows": {"orders": {"country": None}}},
        {"rows": {"orders": ["country"]}},
        {"rows": {"orders; DROP": {"country": "DE"}}},
        {"rows": {"orders": {'country" = 1 --': "DE"}}},
        {"rows": {"orders": {"country": "D\0E"}}},
        {"rows": {"orders": {"country": "x" * 5_000}}},
        {"row": {}},
        {"masked": {"customers": [f"c{n}" for n in range(200)]}},
    ],
    ids=str,
)
def test_another_shape_is_refused_and_never_taken_for_no_rules(told: dict[str, object]) -> None:
    with pytest.raises(InvalidKeyRequestError):
        DataRules.from_document(told)
