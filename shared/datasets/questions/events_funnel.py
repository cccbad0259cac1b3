"""Funnels: how far customers or sessions get on a way of several steps, how fast, and where they are lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import parse_qsl, unquote

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.comparison import Measures
from shared.datasets.questions.events import Dimension, Entity, EventQuestion, length_of_time, microseconds
from shared.errors import InvalidParameterError
from shared.sql.load import statement

FILTERED = ("product_id", "order_id", "currency", "channel", "country", "device", "url")
"""Columns by which a step may tell events of one name apart, beside `properties.<key>`."""
MAX_FILTERS = 5
_PROPERTIES = "properties."


@dataclass(frozen=True)
class Step:
    """An event's name, and what its columns must hold."""

    event: str
    filters: tuple[tuple[str, str], ...] = ()

    def condition(self, prefix: str) -> tuple[str, dict[str, str]]:
        """SQL over an event, true for one of this step, and its values; ``prefix`` begins the parameters' names."""
        tests, values = [f"event_name = ${prefix}"], {prefix: self.event}
        for place, (name, value) in enumerate(self.filters):
            parameter, column = f"{prefix}_{place}", name
            values[parameter] = value
            if name.startswith(_PROPERTIES):
                # A JSON pointer (RFC 6901): a key is taken as it is, whatever it holds.
                key = name.removeprefix(_PROPERTIES).replace("~", "~0").replace("/", "~1")
                values[f"{parameter}_path"] = f"/{key}"
                column = f"json_extract_string(properties, ${parameter}_path)"
            tests.append(f"coalesce({column} = ${parameter}, false)")
        return " AND ".join(tests), values


class EventFunnel(EventQuestion):
    """How many customers or sessions do the steps of a way, one after the other, and how long each step takes them.

    A row per step. `entities` did this step and those before it: each entity counts once, with its best attempt. An
    attempt begins with an event of step 1 in the range and has `window` (counted to the microsecond, its end
    included) for all steps, also after the range. Best is the attempt that gets furthest; of those, the first to get
    there; of those that get there at once, the one that begins last. Medians of time are over these attempts.

    `order=ordered` (default): after a step, the next one may be any later event of the entity; other events and
    repetitions may lie between them (A, B, A, C is three steps of A, B, C). `strict`: a step is the very next event of
    the entity, whatever its name (A, B, A, C is two). `any`: all steps inside one window, in whatever order; step
    k counts who did steps 1 to k, the window begins with the first of their events, and a step is reached when the
    last of steps 1 to k is done.

    One event is one step at most; a step that is given twice needs two events (in `any` order, one event may still
    be several different steps). Events of the same instant stand in the order of the steps that they are. An attempt
    that began less than `window` before the newest data may still get further.

    A step is the name of an event; `?` and conditions on columns may follow: `page_view?url=/cart&properties.plan=pro`
    (encoded once more in a URL; `product_id`, `order_id`, `currency`, `channel`, `country`, `device`, `url` or a key of
    `properties`; five at most). Write `%3F` for a question mark of a name.

    `dimension` splits by what the first event of the best attempt says; null is what says nothing.

    Worked by hand: Ann views at 9:00, puts into the cart at 9:05, views at 9:10, buys at 9:20; Bob views at 9:00 and
    buys at 9:30. Of `view`, `cart`, `buy` (`window=1h`), 2, 1 and 1 get that far, with medians of 300 and 1,200 seconds
    from step 1; with `order=strict` 2, 1 and 0; with `window=15m` 2, 1 and 0.
    """

    name: ClassVar[str] = "events/funnel"
    sql_names: ClassVar[tuple[str, ...]] = (
        "events/chosen", "events/marked", "events/funnel_starts", "events/funnel_ordered", "events/funnel_strict",
        "events/funnel_any_starts", "events/funnel_any", "events/funnel_best", "events/funnel_counted", "events/funnel",
    )  # fmt: skip
    title: ClassVar[str] = "Funnel"
    columns: ClassVar[tuple[str, ...]] = (
        "value", "step", "event", "entities", "step_rate", "total_rate", "median_step_seconds", "median_total_seconds",
    )  # fmt: skip
    example: ClassVar[Mapping[str, Any]] = {"step": ["view", "cart", "purchase"], "window": "1d"}
    measures: ClassVar[Measures] = Measures(
        ("entities",), ("step_rate", "total_rate", "median_step_seconds", "median_total_seconds")
    )

    step: Annotated[
        list[str], Field(min_length=2, max_length=10, description="The steps, 2 to 10, in their order; repeated.")
    ]
    window: Annotated[str, Field(description="Time from step 1 to the last one: 90s, 30m, 24h, 7d; 366d at most.")] = (
        "7d"
    )
    order: Annotated[
        Literal["ordered", "strict", "any"],
        Field(description="Other events may come between steps, none may, or steps come in any order."),
    ] = "ordered"
    entity: Annotated[Entity, Field(description="Whose way it is.")] = "customer"
    dimension: Annotated[Dimension | None, Field(description="A funnel for each value of this.")] = None

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.compare is None:
            return self._answer(context)
        size = "max(answer.entities) OVER (PARTITION BY answer.value)"
        return self.beside_earlier(
            context, self.compare, lambda question: question._answer(context), keys=("value", "step"),
            order=f"{size} DESC, answer.value NULLS LAST, answer.step", of_both=True,
        )  # fmt: skip

    def _answer(self, context: Context) -> Statement:
        window = length_of_time("window", self.window)
        steps = [step_from("step", text) for text in self.step]
        named = [(f"step_{number}", text) for number, text in enumerate(self.step, 1)]
        events = masked(self.chosen(context, later=window), named, "step")
        values = {
            **events.values,
            "step": self.step,
            "entity": self.entity,
            "order": self.order,
            "dimension": self.dimension,
            "window": microseconds(window),
        }
        attempts = " UNION ALL ".join(
            f"SELECT {k} AS step, entity, value, start, began_us, at_us, before_us FROM reached_{k}"
            for k in range(1, len(steps) + 1)
        )
        ctes = [
            events.sql,
            _cte("marked", statement("events/marked")),
            *(self._in_any_order(steps) if self.order == "any" else self._in_this_order(steps)),
            f"attempts AS ({attempts})",
            _cte("best", statement("events/funnel_best")),
            _cte("counted", statement("events/funnel_counted")),
        ]
        return Statement(", ".join(ctes) + "\n" + statement("events/funnel"), values)

    def _in_this_order(self, steps: list[Step]) -> list[str]:
        """A CTE for each step k, ``reached_<k>``: the attempts that did the steps up to it."""
        further = statement("events/funnel_strict" if self.order == "strict" else "events/funnel_ordered")
        ctes = [_cte("reached_1", statement("events/funnel_starts"))]
        for number in range(2, len(steps) + 1):
            following = f"following AS (FROM marked WHERE mask & {1 << number - 1} <> 0)"
            ctes.append(
                _cte(f"reached_{number}", f"WITH before AS (FROM reached_{number - 1}), {following}\n{further}")
            )
        return ctes

    def _in_any_order(self, steps: list[Step]) -> list[str]:
        """The same; an event's time is known for each step beforehand, so no step has to be looked for."""
        done, again = [], []
        for number, step in enumerate(steps):
            is_step, given_before = f"mask & {1 << number} <> 0", steps[:number].count(step)
            at = "at_us"
            if given_before:
                at = f"again_{number}"
                again.append(
                    f"lead(at_us, {given_before}) OVER (PARTITION BY entity, {is_step} ORDER BY place) AS {at}"
                )
            done.append(f"min(CASE WHEN {is_step} THEN {at} END) OVER later")
        later = "later AS (PARTITION BY entity ORDER BY place ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)"
        events = f"(SELECT *, {', '.join(again)} FROM marked)" if again else "marked"
        ctes = [
            f"nearest AS (SELECT *, [{', '.join(done)}] AS done_us FROM {events} WINDOW {later})",
            _cte("reached_1", statement("events/funnel_any_starts")),
        ]
        for number in range(2, len(steps) + 1):
            before = f"WITH before AS (SELECT *, done_us[{number}] AS next_us FROM reached_{number - 1})"
            ctes.append(_cte(f"reached_{number}", f"{before}\n{statement('events/funnel_any')}"))
        return ctes


def masked(chosen: Statement, steps: Sequence[tuple[str, str | None]], parameter: str = "") -> Statement:
    """CTEs up to ``steps``: of each event, by the bits of ``mask``, which of some steps it is; None is any event.

    Steps have names that begin the names of their values; ``parameter`` is the one that they are asked by, by default
    the name. Raises InvalidParameterError.
    """
    conditions, values = [], dict(chosen.values)
    for number, (name, text) in enumerate(steps):
        test = "true"
        if text is not None:
            test, of_step = step_from(parameter or name, text).condition(name)
            values |= of_step
        conditions.append(f"CASE WHEN {test} THEN {1 << number} ELSE 0 END")
    sql = f"{chosen.sql}, steps AS (SELECT *, {' + '.join(conditions)} AS mask FROM chosen)"
    return Statement(sql, values)


def step_from(parameter: str, text: str) -> Step:
    """A step as it is asked for by a parameter. Raises InvalidParameterError."""
    event, _, conditions = text.partition("?")
    try:
        filters = parse_qsl(conditions, keep_blank_values=True, strict_parsing=True) if conditions else []
    except ValueError:
        filters = [("", "")]
    if not event or len(filters) > MAX_FILTERS or not all(_can_be_filtered(name) for name, _ in filters):
        raise InvalidParameterError(
            f"{parameter}: {text[:60]} is not an event's name, or one with up to {MAX_FILTERS} conditions such as "
            f"page_view?url=/cart&device=mobile (on {', '.join(FILTERED)} or {_PROPERTIES}<key>)"
        )
    return Step(unquote(event), tuple(filters))


def _can_be_filtered(name: str) -> bool:
    return name in FILTERED or (name.startswith(_PROPERTIES) and len(name) > len(_PROPERTIES))


def _cte(name: str, sql: str) -> str:
    return f"{name} AS MATERIALIZED (\n{sql}\n)"
