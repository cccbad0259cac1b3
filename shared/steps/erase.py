"""Erases persons from all tables of a lake, in the transaction of one commit.

The rule: the shop's books stay right. Unless they are to go, orders stay as those of a guest with all their amounts,
and every rollup is brought up to date as by any upload. See docs/decisions/0014.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.catalog.writer import LAKE, Change
from shared.datasets.contract import Contract
from shared.duck import Duck, StatementError, quoted
from shared.sql.load import statement
from shared.steps import ledger
from shared.steps.erased import Erased, Place, current, email_in, place_of
from shared.steps.erased_rows import (
    EMAILS,
    IDS,
    about,
    find_emails,
    find_ids,
    goes,
    pattern_of,
    replaced,
    start,
    without_person,
)
from shared.steps.fingerprints import Fingerprints
from shared.steps.judge import Staged
from shared.steps.merge import FileOnce, Plan, apply_merge, lake_table, tables_with_rows, temp
from shared.steps.rollups import ROLLUPS, apply_rollups, plan_rollups


@dataclass
class ErasedRows:
    """What was done: rows by dataset, ``deleted`` and ``anonymised``; ``emails`` are fingerprints of what was found."""

    is_known: bool = False
    datasets: dict[str, dict[str, int]] = field(default_factory=dict)
    emails: tuple[str, ...] = ()

    @property
    def changed(self) -> int:
        """How many rows are not what they were."""
        return sum(sum(counts.values()) for counts in self.datasets.values())


def erase_rows(change: Change, persons: Iterable[Erased], fingerprints: Fingerprints, zone: str) -> ErasedRows:
    """Take these persons out of every table; ``zone`` is the installation's. Done again, it finds nothing."""
    duck, done = change.duck, ErasedRows()
    filled = tables_with_rows(duck)
    places = _places(duck, filled)
    own_tables = [name for (name,) in duck.execute(statement("erasure/own_tables")) if f"teal.{name}" in filled]
    fingerprints.make_ready(duck)
    start(duck, persons)
    for place, _ in places:
        find_ids(duck, lake_table(place.name), place.customers)
    for name in own_tables:
        find_ids(duck, f"{LAKE}.teal.{name}", ("customer_id",))
    graves = [place for place, _ in places if set(place.customers) & set(place.key)]
    if "teal.tombstones" in filled:
        for place in graves:
            find_ids(duck, f"({_buried(place)})", ("id",))
    for place, _ in places:
        if place.is_about_people:
            _find_own_emails(duck, place)
            find_emails(duck, lake_table(place.name), place)
    done.is_known = bool(duck.value(f"SELECT EXISTS (FROM {IDS}) OR EXISTS (FROM {EMAILS})"))
    if not done.is_known:
        return done
    done.emails = tuple(
        fingerprints.of("email", one) for (one,) in duck.execute(f"SELECT DISTINCT email FROM {EMAILS}")
    )
    pattern = pattern_of(duck)
    _find_orders(duck, places)
    plans = [plan for place, contract in places if (plan := _plan(duck, place, contract, pattern))]
    touched = plan_rollups(duck, plans, zone)
    for plan in plans:
        name = plan.staged.contract.name
        done.datasets[name] = {"deleted": plan.removed - plan.added, "anonymised": plan.added}
        apply_merge(change, plan, FileOnce(_refuse_file), inline_rows=0)
    if touched:
        apply_rollups(change, zone)
    for name in own_tables:
        _clear_own(change, name, done)
    if "teal.tombstones" in filled:
        for place in graves:
            _clear_graves(duck, place)
    if duck.value(
        f"SELECT EXISTS (FROM {LAKE}.teal.uploads WHERE regexp_matches(concat(reason, ' ', notes), $p))", {"p": pattern}
    ):
        duck.execute(statement("erasure/told"), {"pattern": pattern})
    return done


def record(duck: Duck, erased: Erased, fingerprints: Fingerprints) -> None:
    """Remember an erasure, in the place of a former one of the same person."""
    duck.execute(f"DELETE FROM {LAKE}.teal.erased WHERE person = $person", {"person": erased.person})
    values = {name: value for name, value in vars(erased).items() if name not in ("emails", "receipt", "secret_check")}
    duck.execute(
        statement("erasure/record"),
        {
            **values,
            "emails": " ".join(sorted(set(erased.emails))),
            "receipt": json.dumps(erased.receipt),
            "secret_check": fingerprints.check,
        },
    )


def _places(duck: Duck, filled: frozenset[str]) -> list[tuple[Place, Contract]]:
    contracts = current(ledger.contracts(duck))
    return [
        (place_of(contract, list(duck.columns(lake_table(name)))), contract)
        for name, contract in contracts.items()
        if f"main.{name}" in filled
    ]


def _find_own_emails(duck: Duck, place: Place) -> None:
    """Addresses in the rows of the persons themselves."""
    for name in place.emails if place.customers else ():
        own = " OR ".join(f"source.{quoted(c)}::VARCHAR = ids.id" for c in place.customers)
        duck.execute(
            f"INSERT INTO {EMAILS} SELECT email, bool_or(deletes) FROM ("
            f"SELECT {email_in(f'source.{quoted(name)}')} AS email, ids.deletes AS deletes "
            f"FROM {lake_table(place.name)} AS source INNER JOIN {IDS} AS ids ON {own}) "
            f"WHERE email <> '' AND email NOT IN (SELECT email FROM {EMAILS}) GROUP BY email"
        )


def _find_orders(duck: Duck, places: list[tuple[Place, Contract]]) -> None:
    """Table ``erased_orders``: the orders of the persons, and whether they go."""
    orders = next((place for place, _ in places if place.name == "orders"), None)
    rows = "SELECT NULL::VARCHAR AS order_id, false AS deletes WHERE false"
    if orders is not None:
        table = lake_table("orders")
        rows = f"SELECT order_id, {goes(orders, table)} AS deletes FROM {table} WHERE {about(orders, table)}"
    duck.execute(f"CREATE OR REPLACE TEMP TABLE erased_orders AS {rows}")


def _plan(duck: Duck, place: Place, contract: Contract, pattern: str) -> Plan | None:
    """What becomes of the rows of one dataset, in the temporary tables that a merge reads; None when it has none."""
    name, table = place.name, lake_table(place.name)
    key = ", ".join(map(quoted, place.key))
    own, linked, gone = about(place, table), "false", goes(place, table)
    if place.orders:
        ids = " OR ".join(f"coalesce({quoted(c)} IN (SELECT order_id FROM %s), false)" for c in place.orders)
        linked = f"({place.nobody} AND ({ids % (('temp.erased_orders',) * len(place.orders))}))"
        of_gone = ids % (("temp.erased_orders WHERE deletes",) * len(place.orders))
        told = " OR ".join(f"{quoted(c)} IS NOT NULL" for c in place.personal) or "false"
        gone = f"({gone} OR ({place.nobody} AND ({of_gone})))"
        linked = f"({linked} AND ({gone} OR {told}))"
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE {quoted('existing_' + name)} AS "
        f"SELECT *, {own} AS _own, {gone} AS _gone FROM {table} WHERE {own} OR {linked}"
    )
    existing = temp("existing", name)
    changes = without_person(place)
    # Of the lines of an order only what is personal goes.
    linked_changes = dict.fromkeys((c for c in place.personal if c not in place.key), "NULL")
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE {quoted('fresh_' + name)} AS SELECT * EXCLUDE (_own, _gone) FROM ("
        f"SELECT {replaced(changes)} FROM {existing} WHERE _own AND NOT _gone UNION ALL BY NAME "
        f"SELECT {replaced(linked_changes)} FROM {existing} WHERE NOT _own AND NOT _gone)",
        {"pattern": pattern} if any("$pattern" in one for one in changes.values()) else None,
    )
    for word, condition in (("removed", "true"), ("buried", "false")):
        duck.execute(
            f"CREATE OR REPLACE TEMP TABLE {quoted(f'{word}_{name}')} AS "
            f"SELECT {key}, NULL::TIMESTAMPTZ AS deleted_at FROM {existing} WHERE {condition}"
        )
    added, removed = (duck.value(f"SELECT count(*) FROM {temp(word, name)}") for word in ("fresh", "removed"))
    staged = Staged(contract, temp("fresh", name), frozenset(), "NULL", removed, 0, 0)
    return Plan(staged, added, removed, 0, 0) if removed else None


def _refuse_file(staged: Staged, select: str) -> str:
    raise AssertionError("rows of an erasure are inserted")  # pragma: no cover - a plan that removes adds no file


def _clear_own(change: Change, name: str, done: ErasedRows) -> None:
    """Rows of the lake's own tables, but for rollups: those were added up anew and must not need it."""
    own = f"FROM {LAKE}.teal.{name} WHERE customer_id IN (SELECT id FROM {IDS})"
    found = int(change.duck.value(f"SELECT count(*) {own}"))
    if found and name in ROLLUPS:
        raise StatementError(f"The rollup {name} still knows an erased person.")
    if found:
        change.duck.execute(f"DELETE {own}")
        change.touched(f"teal.{name}", removed=found)
        done.datasets[f"teal.{name}"] = {"deleted": found, "anonymised": 0}


def _buried(place: Place) -> str:
    ids = [
        f"SELECT json_extract_string(row_key, '$[{place.key.index(name)}]') AS id FROM {LAKE}.teal.tombstones "
        f"WHERE dataset = '{place.name}'"
        for name in place.customers
        if name in place.key
    ]
    return " UNION ALL ".join(ids)


def _clear_graves(duck: Duck, place: Place) -> None:
    for name in place.customers:
        if name in place.key:
            duck.execute(
                f"DELETE FROM {LAKE}.teal.tombstones WHERE dataset = $dataset "
                f"AND json_extract_string(row_key, '$[{place.key.index(name)}]') IN (SELECT id FROM {IDS})",
                {"dataset": place.name},
            )
