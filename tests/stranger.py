"""A small lake for strangers' SQL, with every column the attack corpus knows, and SQL run on it as a question is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.answers.encode import Format
from shared.catalog.stored import lake_prefix
from shared.catalog.views import Shown
from shared.catalog.writer import Change
from shared.sql.load import statement
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits, SqlPage, SqlRun, StrangerStatement
from shared.stranger_sql.cells import CellRunner
from shared.stranger_sql.guard import CheckedSql, SqlGuard
from shared.stranger_sql.locked import LockedDuck, OpenLake, open_locked
from tests.shop import TENANT, Shop, shop_on

ATTACKS = Path(__file__).parent / "data/attacks"
TABLES = ("orders", "customers", "products")


PLACES = {
    "{{BUCKET}}": "the-bucket",
    "{{OWN_PREFIX}}": f"s3://the-bucket/lake/{TENANT}",
    "{{OTHER_PREFIX}}": "s3://the-bucket/lake/rival",
    "{{OTHER}}": "rival",
    "{{SINK}}": "127.0.0.1:9",
}
"""What the corpus calls the places of an installation, where nobody says what they are."""


@dataclass(frozen=True)
class Attack:
    """One case: its name, its SQL, and the rows of its answer where they are known."""

    name: str
    sql: str
    rows: list[list[Any]] | None = None


def attacks(*expected: str, file: str, places: Mapping[str, str] = PLACES) -> list[Attack]:
    """The cases of a corpus with one of these expectations, on an installation with these places."""
    found = []
    for one in json.loads((ATTACKS / f"{file}.json").read_text()):
        if one["expect"] in expected:
            sql = "".join(piece * times for piece, times in one.get("build", [[one["sql"], 1]]))
            for word, place in places.items():
                sql = sql.replace(word, place)
            found.append(Attack(one.get("id") or one["what"], sql, one.get("rows")))
    return found


def cases(*expected: str, file: str = "sql") -> list[tuple[str, str]]:
    """The same as pairs of name and SQL."""
    return [(one.name, one.sql) for one in attacks(*expected, file=file)]


@dataclass(frozen=True)
class StrangerLake:
    """SQL is checked and run against the newest snapshot."""

    shop: Shop
    runner: CellRunner

    def check(self, sql: str) -> CheckedSql:
        """Raises what the guard raises."""
        with self.shop.reader.pin() as lake:
            return SqlGuard(lake.duck, TABLES).check(sql)

    def run(
        self,
        sql: str,
        types: Mapping[str, str] | None = None,
        *,
        limit: int = 1_000,
        offset: int = 0,
        format: Format = "json",
        hidden: Mapping[str, frozenset[str]] | None = None,
        **values: Any,
    ) -> SqlPage:
        """One page of checked SQL."""
        with self.shop.reader.pin() as lake:
            asked = StrangerStatement(sql, values, types=types or {}, hidden=hidden or {})
            return self.runner(SqlRun(TENANT, lake, asked, limit, offset, format))

    def rows(self, sql: str, types: Mapping[str, str] | None = None, **told: Any) -> list[tuple[Any, ...]]:
        """The rows of a page; decimals and numbers as Python has them, everything else as JSON writes it."""
        return rows_of(self.run(sql, types, **told))

    def opened(self, folder: Path) -> LockedDuck:
        """What a cell opens, without the cell and without the guard."""
        with self.shop.reader.pin() as lake:
            catalog = folder / "catalog.ducklake"
            catalog.write_bytes(Path(lake.duck.value(statement("lake/place"), {"alias": lake.alias})).read_bytes())
            prefix = self.runner.store.uri_of(lake_prefix(TENANT))
            access = replace(self.runner.store.duck_access(), scope=prefix)
            there = OpenLake(catalog, f"{prefix}data/", access, lake.snapshot_id)
            return open_locked(there, Shown(), self.runner.limits)


def rows_of(page: SqlPage) -> list[tuple[Any, ...]]:
    """The rows of a page of JSON."""
    return [
        tuple(
            Decimal(value) if kind.startswith("DECIMAL") and value is not None else value
            for kind, value in zip(page.types, row.values(), strict=True)
        )
        for row in json.loads(page.body)
    ]


def widen(change: Change) -> None:
    """Add the columns that the corpus asks for beside those of the contract."""
    for column in ("total_amount DECIMAL(18, 2)", "tax_amount DECIMAL(18, 2)", "order_ts TIMESTAMPTZ"):
        change.duck.execute(f"ALTER TABLE lake.main.orders ADD COLUMN {column}")
    change.duck.execute(
        "UPDATE lake.main.orders SET total_amount = total, tax_amount = total / 10, "
        "order_ts = TIMESTAMPTZ '2024-01-01 00:00:00+00' + order_id::INTEGER * INTERVAL 1 HOUR"
    )


def stranger_lake(store: ObjectStore, limits: SqlLimits) -> StrangerLake:
    """200 orders of three customers: order i has the total i % 10, is paid when i is even, and i hours old in 2024."""
    shop = shop_on(store)
    shop.upload(
        "orders",
        "o.csv",
        "order_id,ordered_at,customer_id,status,total\n"
        + "".join(f"{i},2024-01-01,c{i % 3},{'open' if i % 2 else 'paid'},{i % 10}\n" for i in range(200)),
    )
    shop.upload("customers", "c.csv", "customer_id,name,email\nc0,Ann,ann@example.org\nc1,Bob,\n")
    shop.upload("products", "p.csv", "product_id,name\np,Pen\n")

    shop.writer.commit("test", widen)
    shop.reader.refresh()
    return StrangerLake(shop, CellRunner(store, limits))
