"""A file is first read as if it were clean, in one pass; what is not clean, wherever it stands, is still found."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.shop import shop_in

HEADER = "order_id,ordered_at,customer_id,total\n"
ROWS = 60_000
FAR = 59_990
TOTAL = Decimal(ROWS) / 2


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return shop_in(tmp_path_factory.mktemp("clean"))


def lines(number: int) -> list[str]:
    return [f"{number}-{row},2024-01-{row % 28 + 1:02},c{row % 9},0.50\n" for row in range(ROWS)]


def loaded(shop, number: int, body: list[str]):
    outcome = shop.upload("orders", f"{number}.csv", HEADER + "".join(body))
    counts = outcome.counts
    (rows,) = shop.rows(f"SELECT count(*), sum(total) FROM orders WHERE order_id LIKE '{number}-%'")
    return outcome, (counts.received, counts.accepted, counts.held, counts.duplicate), rows


def test_a_clean_file_is_loaded_whole(shop):
    outcome, counts, rows = loaded(shop, 0, lines(0))
    assert (outcome.status, counts, rows) == ("loaded", (ROWS, ROWS, 0, 0), (ROWS, TOTAL))


@pytest.mark.parametrize(
    ("number", "bad", "held", "duplicate"),
    [
        (1, "1-x,2024-01-01,c1,a lot\n", 1, 0),
        (2, "2-x,2024-01-01,c1\n", 1, 0),
        (3, "3-x,2024-01-01,c1,1,2\n", 1, 0),
        (4, "4-x,not a day,c1,1\n", 1, 0),
        (5, ",2024-01-01,c1,1\n", 1, 0),
        (6, "   ,2024-01-01,c1,1\n", 1, 0),
        (7, "7-7,2024-01-08,c7,0.50\n", 0, 1),
        (8, '8-x,2024-01-01,"c1,1\n', 1, 0),
    ],
)
def test_one_row_that_is_not_clean_is_found_far_down(shop, number, bad, held, duplicate):
    body = lines(number)
    body.insert(FAR, bad)
    outcome, counts, rows = loaded(shop, number, body)
    assert (outcome.status, counts) == ("loaded", (ROWS + 1, ROWS, held, duplicate))
    assert rows == (ROWS, TOTAL)


@pytest.mark.parametrize(("number", "blank"), [(11, ",,,\n"), (12, "\n"), (13, "\n\n,,,\n")])
def test_blank_rows_are_no_rows(shop, number, blank):
    body = lines(number)
    body.insert(FAR, blank)
    _, counts, rows = loaded(shop, number, body)
    assert (counts, rows) == ((ROWS, ROWS, 0, 0), (ROWS, TOTAL))


def test_a_line_longer_than_any_buffer_holds_the_file(shop):
    body = "".join(f"51-{row},2024-01-01,{'x' * (18_000_000 if row == 900 else 900)},1\n" for row in range(1_000))
    outcome = shop.upload("orders", "long.csv", HEADER + body)
    assert (outcome.status, outcome.reason_code) == ("held", "unreadable")
    assert "Line 902" in outcome.reason


def test_a_quantity_that_is_not_whole_is_held_however_many_are(shop):
    body = "order_id,line_id,quantity,unit_price\n" + "".join(f"{row},1,2,1\n" for row in range(ROWS)) + "x,1,6.5,1\n"
    outcome = shop.upload("order_items", "lines.csv", body)
    assert (outcome.counts.accepted, outcome.counts.held) == (ROWS, 1)
    assert shop.rows("SELECT count(*), sum(quantity) FROM order_items") == [(ROWS, 2 * ROWS)]


def typed_lines(number: int) -> list[str]:
    return [f"{number}-{row},{row % 3},2,-1,sale\n" for row in range(ROWS)]


@pytest.mark.parametrize(
    ("number", "bad", "held", "types"),
    [
        (31, "31-x,1,2,-1,\n", 0, {"sale": ROWS, "adjustment": 1}),
        (32, "32-x,,2,3,sale\n", 0, {"sale": ROWS + 1}),
        (33, "33-x,1,2,3,gift\n", 1, {"sale": ROWS}),
        (34, "34-x,1,some,3,sale\n", 1, {"sale": ROWS}),
        (35, "35-x,1,some,3,\n", 1, {"sale": ROWS}),
    ],
)
def test_one_line_without_a_type_or_an_id_is_found_far_down(shop, number, bad, held, types):
    body = typed_lines(number)
    body.insert(FAR, bad)
    header = "order_id,line_id,quantity,unit_price,line_type\n"
    outcome = shop.upload("order_items", f"{number}.csv", header + "".join(body))
    assert (outcome.counts.received, outcome.counts.accepted, outcome.counts.held) == (ROWS + 1, ROWS + 1 - held, held)
    found = shop.rows(f"SELECT line_type, count(*) FROM order_items WHERE order_id LIKE '{number}-%' GROUP BY ALL")
    assert dict(found) == types


@pytest.mark.parametrize("letter", ["z", "é", "\U0010ffff"])
def test_a_key_too_long_for_statistics_is_met_again(shop, letter):
    header, key = "order_id,ordered_at,total\n", "y" + letter * 300
    shop.upload("orders", "long.csv", f"{header}a-{letter},2024-01-01,1\n{key},2024-01-01,1\n")
    again = shop.upload("orders", "again.csv", f"{header}{key},2024-01-01,1\n{key}!,2024-01-01,1\n")
    assert (again.counts.accepted, again.counts.duplicate) == (1, 1)
    assert shop.rows("SELECT count(*) FROM orders WHERE order_id LIKE $key", {"key": key + "%"}) == [(2,)]


def test_blanks_around_cells_and_capitals_of_words_do_not_matter(shop):
    body = "order_id,line_id,quantity,unit_price,line_type\n" + "".join(
        f" b{row} ,1, 2 ,1, {'SALE' if row % 2 else 'Sale '}\n" for row in range(300)
    )
    assert shop.upload("order_items", "blanks.csv", body).counts.accepted == 300
    found = shop.rows("SELECT DISTINCT line_type, count(*) FROM order_items WHERE order_id LIKE 'b%' GROUP BY ALL")
    assert found == [("sale", 300)]


def test_a_blank_row_of_a_table_without_a_key_gets_none(shop):
    outcome = shop.upload("readings", "1.csv", "place,degrees\nhere,1\n,\nthere,2\n\n")
    assert outcome.counts.received == 2
    assert shop.rows("SELECT place, degrees FROM readings ORDER BY ALL") == [("here", 1), ("there", 2)]
