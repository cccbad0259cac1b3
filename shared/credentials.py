"""Who presents a credential of any kind: an API key or a token, of a tenant that is active, within all limits.

The rule: the tenant comes from the credential and from nothing else, and nobody learns anything about a tenant before
the credential is proven.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.errors import UnauthenticatedError
from shared.keys import NOT_ADMITTED, Keys, Principal
from shared.limits import UNLIMITED, Limits
from shared.tenants import Tenants
from shared.tokens import Tokens


@dataclass(frozen=True)
class Credentials:
    """Every way to prove who one is; ``limits`` are the installation's, for tenants that have none of their own."""

    keys: Keys
    tokens: Tokens
    tenants: Tenants
    limits: Limits = UNLIMITED

    def verify(self, token: str) -> Principal:
        """Whose credential it is.

        Raises UnauthenticatedError, with one message for every reason, TenantSuspendedError, StoreUnavailableError,
        IssuerUnavailableError.
        """
        principal = (self.tokens if self.tokens.is_one(token) else self.keys).verify(token)
        tenant = self.tenants.standing(principal.tenant)
        if tenant.is_gone:
            # Its keys are being deleted: this one only was not reached yet.
            raise UnauthenticatedError(NOT_ADMITTED)
        tenant.require_active()
        of_tenant = tenant.limits.over(self.limits)
        return replace(principal, limits=principal.limits.within(of_tenant), tenant_limits=of_tenant)

    def knows(self, token: str) -> bool:
        """Whether ``verify`` answers without waiting for a store or an issuer."""
        source = self.tokens if self.tokens.is_one(token) else self.keys
        tenant = source.remembered_tenant(token)
        return tenant is not None and (not tenant or self.tenants.knows(tenant))
