"""Operations: what came in of each dataset, how good it was and how new."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.clocks import clock
from shared.datasets.questions.ranged import RangeQuestion
from shared.datasets.questions.sales import STEPS
from shared.sql.load import statement

_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No lake is older."""


class QualityReport(RangeQuestion):
    """What was brought of each dataset in each period, how much of it was good, and how new the data were.

    A row per dataset and period with uploads, by the time at which an upload was measured, whatever became of it: an
    upload that was held as a whole counts with its rows as held, one that could not be read without rows, and what is
    brought again counts again. `received` = `accepted` + `held` + `duplicate`. Files that were skipped, commands and
    what came by no upload are not in it.

    `validity` is the share of received rows that break no rule. `completeness` is the share of values that are there,
    among all columns of the contract in the valid rows: optional columns that nobody fills lower it. Freshness:
    `newest_at` is the newest time (by the contract's time column) of all rows that were loaded until the end of the
    period, and `age_seconds` the time from then to the end of the period, or to the commit of the snapshot if that is
    earlier; both are null for a dataset without times, and the age of data from the future is negative.

    `by=column` gives a row per column: `valid` are then the rows that are not invalid by this column; what breaks a
    rule about whole rows is in `(row)`.
    """

    name: ClassVar[str] = "quality"
    sql_names: ClassVar[tuple[str, ...]] = (
        "operations/reports", "operations/parts_of_datasets", "operations/parts_of_columns",
        "operations/quality_counted", "operations/quality",
    )  # fmt: skip
    title: ClassVar[str] = "Quality"
    columns: ClassVar[tuple[str, ...]] = (
        "dataset", "period", "column_name", "uploads", "held_uploads", "received", "valid", "accepted", "held",
        "duplicate", "missing", "validity", "completeness", "missing_references", "newest_at", "age_seconds",
        "complete",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"dataset": "products", "grain": "all"}

    dataset: Annotated[list[str] | None, Field(description="Only these datasets; may be repeated.")] = None
    grain: Annotated[
        Literal["day", "week", "month", "quarter", "year", "all"],
        Field(description="Length of a period; all: the range as one."),
    ] = "day"
    by: Annotated[Literal["dataset", "column"], Field(description="A row per dataset, or per column of it.")] = (
        "dataset"
    )

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return ("teal.uploads", "teal.quality")

    def statement(self, context: Context) -> Statement:
        """See Question."""
        zone, (start, end) = self.zone(context), self.asked_range(context)
        values = {"dataset": self.dataset, "from_at": start, "to_at": end, "committed_at": context.committed_at}
        bucket, ends = "NULL::TIMESTAMP", "$to_at::TIMESTAMPTZ"
        if self.grain != "all":
            of_zone = clock(zone, _OLDEST, context.committed_at + timedelta(days=400))
            bucket = f"date_trunc('{self.grain}', {of_zone.local_time('measured_at')})"
            ends = of_zone.instant(f"(bucket + INTERVAL '{STEPS[self.grain]}')")
        parts = statement("operations/parts_of_columns" if self.by == "column" else "operations/parts_of_datasets")
        sql = (
            f"WITH reports AS (\n{statement('operations/reports')}\n), "
            f"dated AS (SELECT *, {bucket} AS bucket FROM reports), parts AS (\n{parts}\n), "
            f"counted AS (\n{statement('operations/quality_counted')}\n), "
            f"ended AS (SELECT *, epoch_us({ends}) AS ends_us FROM counted)\n{statement('operations/quality')}"
        )
        return Statement(sql, values)
