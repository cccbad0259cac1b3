"""Keeps erased persons out of what comes in: their rows go in without them, or are held, without a text, as `erased`.

The rule: what says nothing about anybody comes in as ever, and nothing about an erased person is written anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from shared.datasets.contract import Contract
from shared.datasets.registry import plain
from shared.duck import Duck, quoted
from shared.formats.table import counted
from shared.steps.erased import Erased, Place, mentions_of, place_of
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
from shared.steps.fingerprints import Fingerprints, Mentions
from shared.steps.judge import Staged
from shared.steps.reading import Read
from shared.steps.rules import held_as

RULE = "erased"
"""The rule that a row breaks which cannot come in without the person."""


def withhold(
    duck: Duck, read: Read, persons: tuple[Erased, ...], prints: Fingerprints, contracts: Mapping[str, Contract]
) -> Read:
    """The file as it may come in while these persons are erased; the same one when it is about none of them."""
    if not persons:
        return read
    prints.make_ready(duck)
    mentions = mentions_of(persons, prints, (*contracts.values(), *(one.contract for one in read.staged)))
    staged, anonymised = [], 0
    for one in read.staged:
        welcome, without = _withheld(duck, one, persons)
        staged.append(_blanked(duck, welcome, mentions) if one.held else welcome)
        anonymised += without
    notes = read.notes
    if anonymised:
        rows = f"{counted(anonymised, 'row')} of an erased person {'is' if anonymised == 1 else 'are'}"
        notes = (*notes, f"{rows} taken in without the person.")
    return replace(read, staged=tuple(staged), notes=notes)


def _withheld(duck: Duck, staged: Staged, persons: Iterable[Erased]) -> tuple[Staged, int]:
    place = place_of(staged.contract)
    if not place.is_about_people:
        return staged, 0
    start(duck, persons)
    find_ids(duck, staged.table, place.customers)
    find_emails(duck, staged.table, place)
    if not duck.value(f"SELECT EXISTS (FROM {IDS}) OR EXISTS (FROM {EMAILS})"):
        return staged, 0
    return _rewritten(duck, staged, place)


def _rewritten(duck: Duck, staged: Staged, place: Place) -> tuple[Staged, int]:
    """The staged rows in a table of their own, judged once more."""
    name = f"welcome_{place.name}"
    columns = duck.columns(staged.table)
    # Those of a clean file are in its order and have no number and no original.
    number = "row_number() OVER ()" if staged.file is not None else staged.row_number
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS SELECT * {'EXCLUDE (_row)' if '_row' in columns else ''}, "
        f"{number} AS _row{'' if '_original' in columns else ', NULL::VARCHAR AS _original'} FROM {staged.table}"
    )
    table = f"temp.{quoted(name)}"
    pattern = pattern_of(duck)
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE own_rows AS SELECT _row, {goes(place, table)} AS gone FROM {table} "
        f"WHERE {about(place, table)}"
    )
    column = next(iter(place.customers or place.emails))
    held = held_as(column, RULE, "NULL::VARCHAR")
    anonymised = int(
        duck.value(
            f"SELECT count(*) FROM own_rows SEMI JOIN (FROM {table} WHERE _held IS NULL AND NOT _duplicate) "
            "USING (_row) WHERE NOT gone"
        )
    )
    changes = without_person(place)
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE {quoted('own_' + place.name)} AS "
        f"SELECT {replaced(changes)} FROM {table} SEMI JOIN (FROM own_rows WHERE NOT gone) USING (_row)",
        {"pattern": pattern} if any("$pattern" in one for one in changes.values()) else None,
    )
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE {quoted('kept_' + name)} AS "
        f"FROM {table} ANTI JOIN (FROM own_rows WHERE NOT gone) USING (_row) "
        f"UNION ALL BY NAME FROM temp.{quoted('own_' + place.name)} ORDER BY _row"
    )
    table = f"temp.{quoted('kept_' + name)}"
    duck.execute(
        f"UPDATE {table} SET _held = CASE WHEN _duplicate THEN _held ELSE {held} END, _original = '' "
        "WHERE _row IN (SELECT _row FROM own_rows WHERE gone)"
    )
    received, put_aside, duplicate, erased = duck.execute(
        f"SELECT count(*), count(_held), count(*) FILTER (_duplicate), count(*) FILTER (_held.rule = '{RULE}') "
        f"FROM {table}"
    )[0]
    done = replace(
        staged,
        table=table,
        row_number="_row",
        received=received,
        held=put_aside,
        duplicate=duplicate,
        erased=erased,
        file=None,
        statistics={},
    )
    return done, anonymised


def _blanked(duck: Duck, staged: Staged, mentions: Mentions) -> Staged:
    """Rows that break a rule tell their text and the whole row: neither of one that mentions the person."""
    rows = duck.execute(
        f"SELECT {staged.row_number}, _held.column, _held.text, _original FROM {staged.table} "
        f"WHERE _held IS NOT NULL AND _original <> ''"
    )
    places = [
        place for place, column, text, original in rows if mentioned(mentions, staged.contract, column, text, original)
    ]
    if not places:
        return staged
    name = quoted("blanked_" + staged.contract.name)
    duck.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM {staged.table}")
    duck.execute(
        f"UPDATE temp.{name} SET _original = '', "
        "_held = {'column': _held.column, 'rule': _held.rule, 'text': NULL::VARCHAR} "
        f"WHERE _held IS NOT NULL AND list_contains($places, {staged.row_number})",
        {"places": places},
    )
    return replace(staged, table=f"temp.{name}")


def mentioned(mentions: Mentions, contract: Contract | None, column: str, text: str | None, original: str) -> bool:
    """Whether what is told of a held row mentions a person; ``contract`` is of the dataset it was meant for."""
    names: frozenset[str] = frozenset()
    if contract is not None:
        customers = place_of(contract).customers
        names = frozenset(
            plain(told) for one in contract.columns if one.name in customers for told in (one.name, *one.aliases)
        )
        if column in customers and text and mentions.is_customer(text):
            return True
    wider = replace(mentions, named=mentions.named | names)
    try:
        document = json.loads(original)
    except ValueError:
        return mentions.in_text(text or "") or mentions.in_text(original, is_raw=True)
    return wider.in_text(text or "") or wider.in_document(document)
