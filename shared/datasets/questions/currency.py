"""How questions name a currency, and what stands for amounts that name none."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

NO_CURRENCY = "none"
"""How amounts are asked for that name no currency, while the installation names none either."""

Currency = Annotated[
    str | None,
    Field(
        pattern="^(?:[A-Za-z]{3}|none)$",
        description="Only amounts in this currency (ISO 4217; none: amounts that name none).",
    ),
]
"""The parameter `currency`."""


def code_of(currency: str | None) -> str | None:
    """An asked currency as facts and fits write it."""
    return currency if currency in (None, NO_CURRENCY) else str(currency).upper()


def default_of(installation: str) -> str:
    """The currency of amounts that name none, by the installation's, which may be empty."""
    return installation.upper() or NO_CURRENCY


def shown(code: str | None) -> str | None:
    """What an answer says of a currency; None where nobody named it."""
    return None if code in (None, "", NO_CURRENCY) else code
