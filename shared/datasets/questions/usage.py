"""Usage: what was asked of the API, how it went, how long it took and how many bytes, over time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.clocks import clock
from shared.datasets.questions.ranged import RangeQuestion
from shared.datasets.questions.steps import STEPS
from shared.sql.load import statement

_OLDEST = datetime(2020, 1, 1, tzinfo=UTC)
"""Nothing was recorded before."""

Names = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)]


class Usage(RangeQuestion):
    """What was asked of this tenant's API in each period: how often, how it went, how long it took, how many bytes.

    Every request that was answered to a known key counts, also those for datasets, rows and uploads; what came without
    a valid key is nobody's and not in it. `question` is a question's name (also of a published one) or the method and
    route, never the values asked for. `from_cache` were answered with a body that a process still had, `not_modified`
    with 304.

    Processes add requests up by UTC hour and hand them in with their first request and then once a minute; the
    schedule (`functions/tidy`, every hour by default) brings that into the lake. So what is answered goes up to
    `until`, the time at which it last found something, and what a process had not handed in by then comes later. A
    process that is killed takes with it what it was asked less than a minute after it last handed in, or since the
    store went silent.

    An hour belongs to the period and the range in which it begins, with all its requests. Times are those inside the
    function, without the network. `p50_ms` and `p95_ms` are the nearest-rank percentiles, read off buckets of which
    each is 2^¼ (19 %) wider than the one before, and given as the upper end of the bucket: at least the true value,
    and less than 19 % above it; below 0.0625 ms and above 65.536 s these ends. `bytes_sent` are bodies; a body that was
    answered by a link (303) is not in it. What too many different requests in one minute left no room for is
    `(other)`.
    """

    name: ClassVar[str] = "usage"
    sql_names: ClassVar[tuple[str, ...]] = ("usage/asked", "usage/counted", "usage/usage", "usage/nothing")
    title: ClassVar[str] = "Usage"
    columns: ClassVar[tuple[str, ...]] = (
        "period", "asked", "requests", "from_cache", "not_modified", "client_errors", "server_errors", "p50_ms",
        "p95_ms", "mean_ms", "bytes_sent", "bytes_read", "cost_usd", "until", "folded",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"grain": "day", "by": "question"}

    grain: Annotated[
        Literal["hour", "day", "week", "month", "quarter", "year", "all"],
        Field(description="Length of a period; all: the range as one."),
    ] = "day"
    by: Annotated[
        Literal["all", "question", "status", "key", "format"],
        Field(description="A row per question, class of status (2xx), id of the key or format; all: one row."),
    ] = "all"
    question: Annotated[Names | None, Field(description="Only these questions or routes; may be repeated.")] = None
    key: Annotated[Names | None, Field(description="Only requests with the keys of these ids; may be repeated.")] = None

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return ("teal.usage",)

    def statement(self, context: Context) -> Statement:
        """See Question."""
        zone, (start, end) = self.zone(context), self.asked_range(context)
        values = {"by": self.by, "question": self.question, "key": self.key, "from_at": start, "to_at": end}
        of_zone = clock(zone, _OLDEST, context.committed_at + timedelta(days=400))
        bucket, period, ends = "NULL::TIMESTAMP", "NULL::VARCHAR", "NULL::BIGINT"
        if self.grain == "hour":
            # Its own instant: an hour that the clock shows twice is two.
            bucket, period = "make_timestamp(epoch_us(hour))", of_zone.hour_name("bucket")
            ends = "epoch_us(bucket + INTERVAL 1 HOUR)"
        elif self.grain != "all":
            bucket, period = f"date_trunc('{self.grain}', {of_zone.local_time('hour')})", "strftime(bucket, '%Y-%m-%d')"
            ended = of_zone.instant(f"(bucket + INTERVAL '{STEPS[self.grain]}')")
            ends = f"epoch_us({ended})"
        answer = statement("usage/usage").replace("{period}", period).replace("{ends}", ends)
        sql = (
            f"WITH asked AS (\n{statement('usage/asked')}\n), "
            f"dated AS (SELECT *, {bucket} AS bucket FROM asked), "
            f"counted AS (\n{statement('usage/counted')}\n)\n{answer}"
        )
        if context.tables is not None and "usage" not in context.tables:
            sql = sql.replace("teal.usage", f"(\n{statement('usage/nothing')}\n)")
        return Statement(sql, values)
