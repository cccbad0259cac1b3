"""Makes a realistic shop as Parquet files: the same rows for the same order, on every machine and for all threads.

The rule: every random number is a hash of the seed, a purpose and an id, and no sum is of floating point; so no row
depends on how the work is cut. Memory is bounded by the session's limit: first all orders as a few numbers each, then
period by period everything that is in them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.duck import Duck, literal, open_duck
from shared.sample.clock import SLOT_SECONDS, Day
from shared.sample.folder import filled
from shared.sample.shop import Period, SampleOrder, periods, shop
from shared.sample.tables import prepare
from shared.sql.load import statement

DATASETS = ("categories", "products", "rates", "customers", "orders", "order_items", "events")
"""What is made, in an order in which every reference finds its row."""

ABOUT = "about.json"
"""What was planted, for those who want to find it again: lives, sets, campaigns, outages; and how many rows."""

PEOPLE_AT_ONCE = 100_000
LEAST_PEOPLE = 1_000
LINES_OF_A_PERSON = 7
"""Roughly; it decides how many people are tried next, and no row."""

LIVES_SHARE = 0.1
"""Of the whole time, what the lives of the people take."""

Tell = Callable[[str, float], None]
"""Hears what was done and how much of all there is to do that is, from 0 to 1."""

MAX_SPILLED_GB = 64.0


def make_sample(
    order: SampleOrder, folder: Path, tell: Tell, *, memory_limit_mb: int, threads: int
) -> Mapping[str, int]:
    """Fill a folder that is new or empty with one sample, or leave it as it was; rows per dataset.

    Raises InvalidParameterError, OutOfMemoryError, KeyboardInterrupt and OSError.
    """
    with filled(folder) as place:
        duck = open_duck(
            memory_limit_mb=memory_limit_mb,
            threads=threads,
            temp_directory=place.spill,
            max_temp_gb=MAX_SPILLED_GB,
            extensions=(),
        )
        try:
            return MakeSample(duck, place.files, tell)(order)
        finally:
            duck.close()


@dataclass
class MakeSample:
    """Makes one sample in a session of its own and an empty folder. Raises KeyboardInterrupt, OutOfMemoryError."""

    duck: Duck
    folder: Path
    tell: Tell
    rows: Counter[str] = field(default_factory=Counter)

    def __call__(self, order: SampleOrder) -> Mapping[str, int]:
        """Rows per dataset. Each has a file per period; orders that changed late are in files of their own."""
        for dataset in DATASETS:
            (self.folder / dataset).mkdir(parents=True)
        days = prepare(self.duck, order)
        people = self._live(order)
        self._write_what_is_known(order, people)
        orders = 0
        for period in periods(self.duck.execute(statement("sample/busy_days")), order.days, order.file_lines):
            orders += self._happen(order, period, orders)
        self._write_about(order, days)
        return {dataset: self.rows[dataset] for dataset in DATASETS if self.rows[dataset]}

    def _live(self, order: SampleOrder) -> int:
        """Orders of one person after the other until there are lines enough; how many people that takes."""
        chosen = shop()
        chances = {
            **{name: chosen["people"][name] for name in ("guest", "prospect")},
            **{name: chosen["afterwards"][name] for name in ("cancelled", "returned", "noted")},
            "seconds": order.seconds,
            "slot_seconds": SLOT_SECONDS,
        }
        self.duck.execute(statement("sample/visits_table"))
        made, last, tried = 0, 0, 0
        while made < order.lines:
            missing = order.lines - made
            past = tried + 1 + min(max(missing // LINES_OF_A_PERSON, LEAST_PEOPLE), PEOPLE_AT_ONCE)
            block = {"first": tried + 1, "past": past, "most": missing}
            self.duck.execute(statement("sample/visits"), chances | block)
            tried = past - 1
            [(made, last)] = self.duck.execute(statement("sample/visited"))
            self.tell(f"{tried:,} people, {made:,} order lines", LIVES_SHARE * made / order.lines)
        return int(last)

    def _write_what_is_known(self, order: SampleOrder, people: int) -> None:
        """The datasets that no period makes."""
        made = shop()
        departments = {name: [one[key] for one in made["department"]] for name, key in _DEPARTMENTS}
        self._write("categories", "categories", "sample/categories", departments)
        self._write("products", "products", "sample/product_rows", {"seconds": order.seconds})
        currencies = {name: [one[key] for one in made["currency"]] for name, key in _CURRENCIES}
        self._write("rates", "rates", "sample/rates", currencies | {"seconds": order.seconds})
        known = {name: made["words"][name] for name in ("first_names", "last_names", "cities")} | {
            **{name: made["people"][name] for name in ("guest", "business")},
            "seconds": order.seconds,
            "slot_seconds": SLOT_SECONDS,
        }
        for first in range(1, people + 1, order.file_lines):
            past = min(first + order.file_lines, people + 1)
            name = f"{first:09}_{past - 1:09}"
            self._write("customers", name, "sample/customers", known | {"first": first, "past": past})

    def _happen(self, order: SampleOrder, period: Period, before: int) -> int:
        """Make and write a period after ``before`` orders; how many orders it has."""
        made = shop()
        span = {"from": period.first * 86_400, "to": period.past * 86_400}
        people = {name: made["people"][name] for name in ("guest", "business", "tracked")}
        goods = {"goods": made["products"], "departments": len(made["department"])}
        baskets = {name: made["baskets"][name] for name in ("taste", "again", "gift", "wrapped")}
        bills = {"voucher": made["baskets"]["voucher"], "refunded": made["afterwards"]["refunded"]}
        self._run("sample/orders_now", span | people | {"before": before, "set": made["baskets"]["set"]})
        self._run("sample/notes_table")
        self._run("sample/notes")
        self._run("sample/billed_now", span)
        self._run("sample/baskets_now", goods | baskets)
        self._run("sample/items_now")
        self._run("sample/bills_now", bills | {"seconds": order.seconds})
        first, last = (order.start + timedelta(days=day) for day in (period.first, period.past - 1))
        name = f"{first}_{last}"
        self._write("orders", name, "sample/orders")
        self._write("orders", f"late_{name}", "sample/late_orders", {"seconds": order.seconds})
        self._write("order_items", name, "sample/order_items")
        self._write("events", name, "sample/events")
        share = LIVES_SHARE + (1 - LIVES_SHARE) * self.rows["order_items"] / order.lines
        self.tell(f"{first} to {last}: {self.rows['order_items']:,} order lines written", share)
        return int(self.duck.value("SELECT count(*) FROM orders_now"))

    def _run(self, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        self.duck.execute(statement(name), parameters)

    def _write(self, dataset: str, file: str, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        """The rows of a statement as a file of a dataset; none when there are no rows."""
        path = self.folder / dataset / f"{file}.parquet"
        copy = f"COPY ({statement(name)}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        rows = int(self.duck.value(copy, parameters))
        self.rows[dataset] += rows
        if not rows:
            path.unlink(missing_ok=True)

    def _write_about(self, order: SampleOrder, days: list[Day]) -> None:
        sets = self.duck.execute(statement("sample/planted_sets"))
        about = {
            "seed": order.seed,
            "start": str(order.start),
            "end": str(order.end),
            "rows": {dataset: self.rows[dataset] for dataset in DATASETS},
            "lives": shop()["lives"],
            "sets": [products for (products,) in sets],
            "days": {str(day.on): {"event": day.event, "factor": day.factor / 1_000} for day in days if day.event},
        }
        (self.folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


_DEPARTMENTS = (("departments", "name"), ("nouns", "nouns"))
_CURRENCIES = (("currencies", "code"), ("rates", "rate"))
