"""Damaged files of every format that is read: each is held with a reason, or loaded so that its rows add up.

``TEAL_MUTATIONS=20000`` reads that many instead of 2,000, and ``TEAL_FIRST_MUTATION`` names the seed of the first: a
failure names its seed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from shared.duck import Duck, open_duck, quoted
from shared.errors import AppError
from shared.reading.base import ReadLimits, ReceivedFile
from shared.reading.cells import CellReader
from shared.steps.order import Order
from shared.steps.reading import Reading
from shared.values import InboxKey
from tests.hostile_files import ROWS, damaged, delimited, honest_files
from tests.shop import Shop, shop_in

MUTATIONS = int(os.environ.get("TEAL_MUTATIONS", "2000"))
FIRST = int(os.environ.get("TEAL_FIRST_MUTATION", "0"))
PARTS, WHOLE = 4, 50
LIMITS = ReadLimits(memory_mb=256, threads=1, seconds=30)


def told(content: bytes, duck: Duck, reader: CellReader, folder: Path) -> str:
    """What becomes of a file: the code of the reason why it is held, or "read"; fails where its rows do not add up."""
    path = folder / "upload"
    path.write_bytes(content)
    try:
        key = InboxKey("shop", "orders", "orders.csv")
        read = reader(duck, ReceivedFile(path, folder, key, Order(), Reading(), {}))
    except AppError as error:
        refused = error
    else:
        for staged in read.staged:
            names = [column.name for column in staged.contract.columns]
            values = f"bit_xor(hash({', '.join(map(quoted, names))}))"
            rows, held, duplicate, _ = duck.execute(
                f"SELECT count(*), count(_held), count(*) FILTER (_duplicate), {values} FROM {staged.table}"
            )[0]
            assert (rows, held, duplicate) == (staged.received, staged.held, staged.duplicate)
            assert rows == staged.accepted + held + duplicate
        return "read"
    assert not refused.again
    assert 10 < len(refused.message) <= 2_000
    assert str(folder) not in refused.message
    return refused.code


def read_all(seeds: Iterable[int]) -> Counter[str]:
    """Read the files of these seeds, one after the other, in one warm cell."""
    found: Counter[str] = Counter()
    reader, duck = CellReader(LIMITS), open_duck(memory_limit_mb=256, threads=1, extensions=())
    try:
        for seed in seeds:
            name, content = damaged(seed)
            with TemporaryDirectory() as folder:
                try:
                    found[told(content, duck, reader, Path(folder))] += 1
                except BaseException as error:
                    raise AssertionError(f"seed {seed}, {name}") from error
        with TemporaryDirectory() as folder:
            assert told(delimited(), duck, reader, Path(folder)) == "read"
    finally:
        reader.close()
        duck.close()
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_two_thousand_damaged_files_are_each_read_or_refused_and_the_next_one_is_read_as_ever(part):
    seeds = range(FIRST + part, FIRST + MUTATIONS, PARTS)
    with ThreadPoolExecutor(2) as pool:
        found = sum(pool.map(read_all, (seeds[::2], seeds[1::2])), Counter())
    assert found.total() == len(seeds)
    # Neither is nothing damaged, nor everything.
    assert found["read"] > len(seeds) / 10
    assert found["unreadable"] > len(seeds) / 4


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    return shop_in(tmp_path_factory.mktemp("lake"))


@pytest.mark.parametrize("name", sorted(honest_files()))
def test_the_file_is_read_when_it_is_not_damaged(tmp_path, shop, name):
    outcome = shop.upload("auto" if name == "parquet typed" else "orders", name, honest_files()[name])
    assert (outcome.status, outcome.counts.received, outcome.counts.held) == ("loaded", len(ROWS), 0), outcome.reason


def test_damaged_uploads_are_held_or_loaded_and_the_lake_holds_what_was_accepted(tmp_path):
    shop = shop_in(tmp_path)
    for seed in range(FIRST + MUTATIONS, FIRST + MUTATIONS + WHOLE):
        outcome = shop.upload("orders", f"{seed}.csv", damaged(seed)[1])
        counts = outcome.counts
        assert outcome.status in ("held", "loaded", "skipped"), seed
        assert bool(outcome.reason_code) == (outcome.status == "held"), seed
        assert counts.received == counts.accepted + counts.held + counts.duplicate, seed
    before = shop.rows("SELECT count(*) FROM orders")[0][0] if shop.rows("SELECT 1") else 0
    outcome = shop.upload("orders", "good.csv", delimited().replace(b"\no", b"\ngood"))
    assert (outcome.status, outcome.counts.accepted) == ("loaded", len(ROWS))
    assert shop.rows("SELECT count(*), sum(total) FROM orders WHERE order_id LIKE 'good%'") == [
        (len(ROWS), sum(Decimal(row["total"]) for row in ROWS))
    ]
    assert shop.rows("SELECT count(*) FROM orders")[0][0] == before + len(ROWS)
