"""Whose tokens an installation takes, and what their claims mean here: checked values of one setting.

The rule: nothing is taken on trust that was not written down. An issuer of several, or of the operator's tenant, names
its tenants; algorithms are those with a public key; addresses are HTTPS.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.values import NAME

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
_CLAIM = re.compile(r"[\x21-\x7e]{1,200}\Z")


class Issuer(BaseModel):
    """One issuer of OpenID Connect, for one audience; the names of the fields are those of the setting's JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(description="Exactly what its tokens have as `iss`.")
    audience: str = Field(min_length=1, max_length=1_000, description="What its tokens for us have as `aud`.")
    jwks_url: str = Field("", description="Where its keys are; empty: where its discovery document says.")
    algorithms: tuple[Algorithm, ...] = Field(("RS256", "ES256"), min_length=1)
    tenant_claim: str = Field("tenant", description="The claim that names the tenant; empty: its only tenant.")
    tenants: dict[str, str] = Field(
        default_factory=dict, description="Its tenants: a list, or by value of the claim; empty: whatever is claimed."
    )
    scopes_claim: str = Field("scope", description="A list, or a text with blanks; empty: only what is `granted`.")
    scopes: dict[str, str] = Field(
        default_factory=dict, description="Our scopes, separated by blanks, by value of the claim; empty: equal names."
    )
    granted: tuple[Literal["read", "write", "sql", "admin"], ...] = Field((), description="Scopes of every token.")
    rules_claim: str = Field("", description="A claim with the rules of rows and columns; it must be there then.")
    leeway_seconds: float = Field(30.0, ge=0, le=60, description="How far clocks may differ.")
    max_age_seconds: float = Field(0.0, ge=0, description="Oldest `iat`; 0: as old as `exp` allows.")

    @field_validator("issuer", "jwks_url")
    @classmethod
    def _address(cls, told: str, info: object) -> str:
        if told or getattr(info, "field_name", "") == "issuer":
            check_address(told)
        return told

    @field_validator("tenants", mode="before")
    @classmethod
    def _listed(cls, told: object) -> object:
        return {name: name for name in told} if isinstance(told, (list, tuple)) else told

    @field_validator("tenants")
    @classmethod
    def _names(cls, told: dict[str, str]) -> dict[str, str]:
        for name in told.values():
            if not NAME.match(name):
                raise ValueError(f"{name!r} is no tenant: a lower-case name of a-z, 0-9 and _")
        return told

    @field_validator("scopes")
    @classmethod
    def _known(cls, told: dict[str, str]) -> dict[str, str]:
        for ours in told.values():
            if not ours.split() or set(ours.split()) - {"read", "write", "sql", "admin"}:
                raise ValueError(f"{ours!r}: scopes are read, write, sql and admin")
        return told

    @field_validator("tenant_claim", "scopes_claim", "rules_claim")
    @classmethod
    def _claim(cls, told: str) -> str:
        if told and not _CLAIM.match(told):
            raise ValueError("no name of a claim")
        return told

    @model_validator(mode="after")
    def _one_tenant(self) -> Issuer:
        if not self.tenant_claim and len(self.tenants) != 1:
            raise ValueError("without tenant_claim, tenants names exactly one")
        if not self.scopes_claim and not self.granted:
            raise ValueError("without scopes_claim, granted says which scopes its tokens have")
        return self


def check_address(url: str) -> None:
    """Raises ValueError unless it is HTTPS, or HTTP of this very machine, without user, query and fragment."""
    parts = urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1")
    if not parts.hostname or not (parts.scheme == "https" or here):
        raise ValueError(f"{url[:200]!r} is not an address that begins with https://")
    if parts.username is not None or parts.query or parts.fragment or re.search(r"[\x00-\x20\x7f\\]", url):
        raise ValueError(f"{url[:200]!r} has a user, a query, a fragment or a blank")


def check_together(issuers: tuple[Issuer, ...]) -> None:
    """Raises ValueError when one issuer could speak for the tenants of another."""
    names = [one.issuer for one in issuers]
    if len(set(names)) < len(names):
        raise ValueError("an issuer is named twice")
    if len(issuers) > 1 and (without := [one.issuer for one in issuers if not one.tenants]):
        raise ValueError(f"{without[0]}: of several issuers, each names its tenants")
