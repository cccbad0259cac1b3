"""SQL about the rows of erased persons: which they are, which go, and what the others become.

It reads temporary tables ``erased_ids`` (id, deletes) and ``erased_emails`` (email, deletes), and, where ``pattern`` is
bound, looks with it for the person inside other texts. The rule: a row that names another customer is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.duck import Duck, quoted
from shared.steps.erased import Erased, Place, email_in, emails_in

IDS, EMAILS = "temp.erased_ids", "temp.erased_emails"


def start(duck: Duck, persons: Iterable[Erased]) -> None:
    """Make the tables of fingerprints, ``erased_persons`` and ``erased_marks`` (of e-mails), and empty ones to find."""
    known = tuple(persons)
    rows = [(one.person, one.deletes) for one in known]
    marks = [(email, one.deletes) for one in known for email in one.emails]
    for name, pairs in (("erased_persons", rows), ("erased_marks", marks)):
        duck.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT unnest($prints::VARCHAR[]) AS mark, "
            "unnest($deletes::BOOLEAN[]) AS deletes",
            {"prints": [mark for mark, _ in pairs], "deletes": [deletes for _, deletes in pairs]},
        )
    for table, column in ((IDS, "id"), (EMAILS, "email")):
        duck.execute(f"CREATE OR REPLACE TEMP TABLE {table.split('.')[1]} ({column} VARCHAR, deletes BOOLEAN)")


def find_ids(duck: Duck, table: str, columns: Iterable[str]) -> None:
    """Add the ids in these columns whose fingerprints are those of erased persons."""
    for column in map(id_in, columns):
        duck.execute(
            f"INSERT INTO {IDS} SELECT id, persons.deletes FROM (SELECT DISTINCT {column} AS id FROM {table} "
            f"WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM {IDS})) "
            "INNER JOIN temp.erased_persons AS persons ON persons.mark = fingerprint('customer', id)"
        )


def find_emails(duck: Duck, table: str, place: Place) -> None:
    """Add e-mail addresses with the fingerprints of erased persons: of rows of nobody, or in their own rows."""
    sources = [f"SELECT {email_in(quoted(name))} AS email FROM {table} WHERE {place.nobody}" for name in place.emails]
    if place.customers:
        own = f"FROM {table} WHERE {_any(place.customers, IDS)}"
        sources += [
            f"SELECT unnest({emails_in(quoted(name))}) AS email {own}" for name in (*place.emails, *place.texts)
        ]
    if sources:
        duck.execute(
            f"INSERT INTO {EMAILS} SELECT email, marks.deletes FROM (SELECT DISTINCT email FROM "
            f"({' UNION ALL '.join(sources)}) WHERE email <> '' AND email NOT IN (SELECT email FROM {EMAILS})) "
            "INNER JOIN temp.erased_marks AS marks ON marks.mark = fingerprint('email', email)"
        )


def pattern_of(duck: Duck) -> str:
    """A regular expression that finds the found ids and e-mails in texts; one that finds nothing when none can be told.

    Ids of digits alone or of fewer than four characters may be anything else in a text.
    """
    ids = [id_ for (id_,) in duck.execute(f"SELECT DISTINCT id FROM {IDS}") if len(id_) >= 4 and not id_.isdecimal()]
    emails = [email for (email,) in duck.execute(f"SELECT DISTINCT email FROM {EMAILS}")]
    words = [rf"(^|[^\pL\pN_]){re.escape(one)}($|[^\pL\pN_])" for one in ids]
    return "|".join([*words, *(f"(?i:{re.escape(one)})" for one in emails)]) or r"[^\x{0}-\x{10FFFF}]"


def about(place: Place, table: str) -> str:
    """The condition for rows about erased persons: their ids, their e-mails where no customer is named, visits."""
    alternatives = [_any(place.customers, IDS)] if place.customers else []
    if place.emails:
        alternatives.append(f"({place.nobody} AND {_any_email(place)})")
    alternatives += _visits(place, table, IDS)
    return f"coalesce({' OR '.join(alternatives) or 'false'}, false)"


def goes(place: Place, table: str) -> str:
    """The condition for those that cannot stay without the person: asked to go, or the person is part of their key."""
    wanted = [_any(place.customers, f"{IDS} WHERE deletes")] if place.customers else []
    wanted += [f"({place.nobody} AND {_any_email(place, ' WHERE deletes')})"] if place.emails else []
    wanted += _visits(place, table, f"{IDS} WHERE deletes")
    in_key = tuple(name for name in place.customers if name in place.key)
    wanted += [_any(in_key, IDS)] if in_key else []
    wanted += [
        f"{email_in(quoted(name))} IN (SELECT email FROM {EMAILS})" for name in place.emails if name in place.key
    ]
    return f"coalesce({' OR '.join(wanted) or 'false'}, false)"


def without_person(place: Place) -> dict[str, str]:
    """By column, what a row that stays becomes; the others stay as they are."""
    changed = {name: f"CASE WHEN {_any((name,), IDS)} THEN NULL ELSE {quoted(name)} END" for name in place.customers}
    changed |= dict.fromkeys((*place.personal, *place.documents), "NULL")
    for name in place.visitors:
        changed[name] = f"'erased-' || left(fingerprint('session', {quoted(name)}), 24)"
        changed[name] = f"CASE WHEN starts_with({quoted(name)}, 'erased-') THEN {quoted(name)} ELSE {changed[name]} END"
    for name in place.texts:
        if name not in place.key:
            changed[name] = f"CASE WHEN regexp_matches({quoted(name)}, $pattern) THEN NULL ELSE {quoted(name)} END"
    return {name: expression for name, expression in changed.items() if name not in place.key}


def id_in(column: str) -> str:
    """SQL for a customer's id as text: in a dataset of somebody's own it may be a number."""
    return f"{quoted(column)}::VARCHAR"


def replaced(changes: dict[str, str]) -> str:
    """The select list of all columns with these changed."""
    listed = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in changes.items())
    return f"* REPLACE ({listed})" if listed else "*"


def _visits(place: Place, table: str, among: str) -> list[str]:
    """Conditions for rows of nobody that belong to a visit of these customers."""
    conditions = []
    for name in map(quoted, place.visitors if place.customers else ()):
        own = f"SELECT {name} FROM {table} WHERE {_any(place.customers, among)} AND {name} IS NOT NULL"
        conditions.append(f"({place.nobody} AND {name} IN ({own}))")
    return conditions


def _any(columns: Iterable[str], among: str) -> str:
    return "(" + " OR ".join(f"coalesce({id_in(c)} IN (SELECT id FROM {among}), false)" for c in columns) + ")"


def _any_email(place: Place, condition: str = "") -> str:
    among = f"(SELECT email FROM {EMAILS}{condition})"
    return "(" + " OR ".join(f"coalesce({email_in(quoted(c))} IN {among}, false)" for c in place.emails) + ")"
