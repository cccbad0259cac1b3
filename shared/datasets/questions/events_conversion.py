"""Conversion: how many of those who did one thing did another one soon after, period by period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.comparison import Measures
from shared.datasets.questions.events import Entity, EventsByPeriod, length_of_time, microseconds
from shared.datasets.questions.events_funnel import masked
from shared.sql.load import statement


class EventConversion(EventsByPeriod):
    """How many customers or sessions reached a goal soon after a first event, by the period of the first event.

    `tried` had an event `first` in the period; each counts once per period, and once per value where `dimension`
    splits by what the first event says. `converted` are those of them with an event `goal` after one of these first
    events, at most `window` later (its end included), be it in a later period or after the range. One event is not
    both, so `first` and `goal` may have the same name: who came back. Without `first`, any event is one, and the goal
    may be that event itself. Both may have conditions, written as in `events/funnel`.

    Somebody who tried in several periods counts in each: periods cannot be added up. The rate of a period that is not
    `settled` may still rise.
    """

    name: ClassVar[str] = "events/conversion"
    sql_names: ClassVar[tuple[str, ...]] = (
        "events/chosen", "events/marked", "events/conversion_tries", "events/conversion_counted", "events/periods",
        "events/conversion",
    )  # fmt: skip
    title: ClassVar[str] = "Conversion"
    columns: ClassVar[tuple[str, ...]] = ("period", "value", "tried", "converted", "conversion_rate", "settled")
    example: ClassVar[Mapping[str, str]] = {"first": "view", "goal": "purchase", "grain": "all"}
    measures: ClassVar[Measures] = Measures(("tried", "converted"), ("conversion_rate",))
    largest_first: ClassVar[str] = "tried"

    goal: Annotated[str, Field(description="The event to reach.")] = "purchase"
    first: Annotated[str | None, Field(description="The event to begin with; default any.")] = None
    window: Annotated[str, Field(description="Time from the first event to the goal: 30m, 24h, 7d; 366d at most.")] = (
        "7d"
    )
    entity: Annotated[Entity, Field(description="Who is converted.")] = "customer"

    def answer(self, context: Context) -> Statement:
        """See EventsByPeriod."""
        window = length_of_time("window", self.window)
        events = masked(self.chosen(context, later=window), [("first", self.first), ("goal", self.goal)])
        values = {
            **events.values,
            "entity": self.entity,
            "order": "ordered",
            "dimension": self.dimension,
            "window": microseconds(window),
            "goal_may_be_first": self.first is None,
        }
        sql = (
            f"{events.sql}, marked AS (\n{statement('events/marked')}\n), "
            f"facts AS (\n{statement('events/conversion_tries')}\n)"
        )
        facts = Statement(sql, values)
        return self.per_period(context, facts, "tried_at", "events/conversion_counted", "events/conversion")
