"""Sessions: how many visits there were, how long, how many ended at once, and how many reached a goal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.comparison import Measures
from shared.datasets.questions.events import EventsByPeriod, microseconds
from shared.sql.load import statement

LONGEST = timedelta(days=1)
"""A session is over after this, and so is the use of a `session_id` that paused so long."""


class EventSessions(EventsByPeriod):
    """Sessions per period: how many, their events, length, bounces, and how many reached a goal.

    A session is what one `session_id` did. Events without one make up sessions of their customer: a new one begins with
    an event more than `gap` minutes after the one before. Events with neither are left out. A `session_id` that is
    seen again more than 24 hours after its last event begins a new session, and of any session only the first 24
    hours are looked at: a robot that never pauses is one session of a day.

    A session belongs to the period, the range and the value of `dimension` of its first event, with all its events,
    also after the range. Its length is the time from its first to its last event, zero for a bounce: a session of
    one event. `converted` had an event named `goal`.
    """

    name: ClassVar[str] = "events/sessions"
    sql_names: ClassVar[tuple[str, ...]] = (
        "events/chosen", "events/sessions_found", "events/sessions_counted", "events/periods", "events/sessions",
    )  # fmt: skip
    title: ClassVar[str] = "Sessions"
    columns: ClassVar[tuple[str, ...]] = (
        "period", "value", "sessions", "events", "events_per_session", "mean_session_seconds",
        "median_session_seconds", "bounces", "bounce_rate", "converted", "conversion_rate", "complete",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"grain": "all", "gap": "30"}
    measures: ClassVar[Measures] = Measures(
        ("sessions", "events", "bounces", "converted"),
        (
            "events_per_session", "mean_session_seconds", "median_session_seconds", "bounce_rate", "conversion_rate",
        ),
    )  # fmt: skip
    largest_first: ClassVar[str] = "sessions"

    gap: Annotated[
        int, Field(ge=1, le=1440, description="Minutes without an event that end a session without a `session_id`.")
    ] = 30
    goal: Annotated[str, Field(description="The event that makes a session a converted one.")] = "purchase"

    def answer(self, context: Context) -> Statement:
        """See EventsByPeriod."""
        chosen = self.chosen(context, earlier=LONGEST, later=LONGEST)
        values = {
            **chosen.values,
            "dimension": self.dimension,
            "gap": microseconds(timedelta(minutes=self.gap)),
            "day": microseconds(LONGEST),
            "goal": self.goal,
        }
        facts = Statement(f"{chosen.sql}, facts AS (\n{statement('events/sessions_found')}\n)", values)
        return self.per_period(context, facts, "began_at", "events/sessions_counted", "events/sessions")
