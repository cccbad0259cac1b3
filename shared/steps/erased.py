"""Who was erased from a lake, and where its datasets can say who a row is about; reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.datasets.contract import Contract
from shared.datasets.registry import built_in, plain
from shared.duck import Duck, quoted
from shared.sql.load import statement
from shared.steps.fingerprints import EMAIL, ErasureSecretLostError, Fingerprints, Mentions
from shared.steps.ledger import Contracts

CUSTOMERS = "customers.customer_id"
ORDERS = "orders.order_id"
EMAIL_NAMES = frozenset(
    {"email", "emailaddress", "mail", "customeremail", "contactemail", "billingemail", "shippingemail", "useremail"}
)
"""Columns that hold an e-mail address although nobody marked them as personal, without case and punctuation."""
VISITOR_NAMES = frozenset({"sessionid", "visitorid", "deviceid", "anonymousid"})
"""Columns that tie rows of one visitor together."""
_EMAIL = EMAIL.replace("'", "''")


@dataclass(frozen=True)
class Erased:
    """One person; ``receipt`` says what was changed where. See schema/erased.sql."""

    person: str
    emails: tuple[str, ...]
    mode: str
    upload_id: str
    secret_check: str
    snapshot_id: int
    erased_at: datetime
    gone_after: datetime
    searched_to: str = ""
    receipt: Mapping[str, Any] = field(default_factory=dict)
    lifted_at: datetime | None = None

    @property
    def deletes(self) -> bool:
        """Rows about the person go as a whole."""
        return self.mode == "delete"


def erased_in(duck: Duck) -> tuple[Erased, ...]:
    """Every erasure of the lake attached as ``lake``."""
    result = duck.query(statement("erasure/all"))
    rows = (dict(zip(result.columns, row, strict=True)) for row in result.rows)
    return tuple(
        Erased(**{**row, "emails": tuple(row["emails"].split()), "receipt": json.loads(row["receipt"])}) for row in rows
    )


def unwelcome(erased: Iterable[Erased], fingerprints: Fingerprints) -> tuple[Erased, ...]:
    """Those who may not come in again. Raises ErasureSecretLostError when nobody could be known again."""
    found = tuple(one for one in erased if one.lifted_at is None)
    if any(one.secret_check != fingerprints.check for one in found):
        raise ErasureSecretLostError("The secret of this lake's erasures was replaced; restore it from a backup.")
    return found


@dataclass(frozen=True)
class Place:
    """How the rows of a dataset say who they are about; each field names columns.

    ``customers`` hold a customer's id, ``orders`` an order's (of another dataset), ``personal`` are emptied, ``emails``
    are those of them that may say whose a row without a customer is; ``documents`` are JSON, ``visitors`` tie rows of a
    visitor together.
    """

    name: str
    key: tuple[str, ...]
    customers: tuple[str, ...]
    orders: tuple[str, ...]
    personal: tuple[str, ...]
    emails: tuple[str, ...]
    documents: tuple[str, ...]
    visitors: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def is_about_people(self) -> bool:
        """Whether a row of it can be about somebody."""
        return bool(self.customers or self.emails)

    @property
    def nobody(self) -> str:
        """SQL that is true for a row that names no customer."""
        return " AND ".join(f"{quoted(name)} IS NULL" for name in self.customers) or "true"


def place_of(contract: Contract, stored: Sequence[str] | None = None) -> Place:
    """By a contract, of the columns that are ``stored`` (all of them when it is not said)."""
    columns = [c for c in contract.columns if stored is None or c.name in stored]

    def named(*kinds: str) -> list[tuple[str, str]]:
        return [(c.name, plain(c.name)) for c in columns if not kinds or c.type in kinds]

    customers = tuple(c.name for c in columns if c.name == "customer_id" or c.references == CUSTOMERS)
    is_orders = contract.name == "orders"
    orders = tuple(c.name for c in columns if not is_orders and (c.name == "order_id" or c.references == ORDERS))
    texts = [(name, folded) for name, folded in named("text") if name not in (*customers, *orders)]
    personal = {c.name for c in columns if c.personal} | {name for name, folded in texts if folded in EMAIL_NAMES}
    personal -= set(customers)
    visitors = tuple(name for name, folded in texts if folded in VISITOR_NAMES and name not in contract.key)
    return Place(
        name=contract.name,
        key=contract.key,
        customers=customers,
        orders=orders,
        personal=tuple(c.name for c in columns if c.name in personal),
        emails=tuple(c.name for c in columns if c.name in personal and c.type == "text"),
        documents=tuple(c.name for c in columns if c.type == "json"),
        visitors=visitors,
        texts=tuple(name for name, _ in texts if name not in personal and name not in visitors),
    )


def current(contracts: Contracts) -> dict[str, Contract]:
    """The contract of every dataset: the newest registered one, else the built-in one."""
    return built_in() | {name: versions[-1] for name, versions in contracts.items()}


def customer_headers(contracts: Iterable[Contract]) -> frozenset[str]:
    """What files call the column of a customer's id, without case and punctuation; a mere "id" is not among them."""
    names = set()
    for contract in contracts:
        for name in place_of(contract).customers:
            column = contract.column(name)
            names |= {plain(name), *map(plain, column.aliases if column else ())}
    return frozenset(names - {"id"})


def mentions_of(persons: Iterable[Erased], fingerprints: Fingerprints, contracts: Iterable[Contract]) -> Mentions:
    """Finds these persons in texts."""
    known = tuple(persons)
    return Mentions(
        fingerprints,
        frozenset(one.person for one in known),
        frozenset(email for one in known for email in one.emails),
        customer_headers(contracts),
    )


def email_in(column: str) -> str:
    """SQL for the e-mail address that a cell is, lower case; "" when it is none."""
    return f"regexp_extract(lower(trim({column})), '^{_EMAIL}$')"


def emails_in(column: str) -> str:
    """SQL for all e-mail addresses in a cell, lower case."""
    return f"regexp_extract_all(lower({column}), '{_EMAIL}')"
