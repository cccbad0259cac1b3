"""The catalog and the answers are the same on a folder, on S3 and on Google Cloud Storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.datasets.question import Context
from shared.datasets.questions.sales import SalesBy, SalesByPeriod, SalesSummary
from shared.rollback import roll_back
from tests.shop import Shop, shop_in, shop_on

DAY = Path(__file__).parent.parent.parent / "samples/by_day/2011-01-18.csv.gz"
HEADER = "order_id,ordered_at,customer_id,total\n"


@pytest.fixture
def shop(store) -> Shop:
    return shop_on(store)


def answers(shop: Shop) -> list:
    shop.reader.refresh()
    found = []
    with shop.reader.pin() as lake:
        context = Context(lake.committed_at)
        for question in (
            SalesSummary(),
            SalesByPeriod(grain="hour"),
            SalesBy(dimension="product"),
            SalesBy(dimension="country"),
        ):
            wanted = question.statement(context)
            found.append(lake.duck.execute(wanted.sql, wanted.values))
    return found


def test_a_file_becomes_the_same_answers_on_every_store(shop, tmp_path):
    elsewhere = shop_in(tmp_path / "elsewhere")
    for one in (shop, elsewhere):
        outcome = one.upload("auto", "day.csv.gz", DAY)
        assert outcome.status == "loaded"
    assert answers(shop) == answers(elsewhere)


def test_merge_time_travel_and_rollback_work_on_every_store(shop):
    first = shop.upload("orders", "a.csv", HEADER + "".join(f"{i},2024-01-01,c,{i}\n" for i in range(300)))
    shop.upload("orders", "b.csv", HEADER + "5,2024-01-01,c,1000\n999,2024-01-02,d,1\n")
    assert shop.rows("SELECT count(*), max(total)::INTEGER FROM orders") == [(301, 1000)]
    with shop.reader.pin(first.snapshot_id) as lake:
        assert lake.duck.execute("SELECT count(*), max(total)::INTEGER FROM orders") == [(300, 299)]
    roll_back(shop.writer, first.snapshot_id, author="test")
    assert shop.rows("SELECT count(*), max(total)::INTEGER FROM orders") == [(300, 299)]


@pytest.mark.parametrize("store_spec", ["folder", "s3", "gcs"], indirect=True)
def test_two_writers_at_once_both_get_in_on_every_store(shop, store_spec):
    import threading

    from tests.servers import open_store

    shops = [shop, shop_on(open_store(store_spec))]
    uploads = [shop.put("orders", f"{i}.csv", HEADER + f"{i},2024-01-01,c,1\n") for i in range(8)]
    failures = []

    def work(one, mine):
        try:
            for upload in mine:
                one.ingest(upload)
        except BaseException as error:
            failures.append((error, error.__cause__))

    threads = [threading.Thread(target=work, args=(one, uploads[place::2])) for place, one in enumerate(shops)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert shop.rows("SELECT count(*), count(DISTINCT order_id) FROM orders") == [(8, 8)]
    assert shop.rows("SELECT count(*) FROM teal.uploads") == [(8,)]
