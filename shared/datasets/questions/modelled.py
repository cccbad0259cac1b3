"""What questions share that answer from a fitted model: which fit it is, whether it is served, what is told of it."""

from __future__ import annotations

from typing import Any, ClassVar

from shared.datasets.question import Context, Fit, Question
from shared.datasets.questions.currency import code_of
from shared.errors import MixedCurrenciesError, ModelMissingError, ModelRefusedError

ALL = "all"
"""How a fit is called to what is counted over all currencies."""
NOTHING_YET = "Nothing was fitted to this lake yet. The schedule does it after sales changed; `teal fit` does it now."
WHY_REFUSED = {
    "no_customers": "nobody bought anything",
    "no_repeats": "no customer bought on a second day yet",
    "under_two_seasons": "there are less than two seasons of complete periods",
    "too_few_values": "there are too few complete periods to try any method on",
    "not_finite": "the amounts are too large to be modelled",
    "worse_than_naive": "on days held out it foretold worse than customers going on at their own rate would have",
}


class ModelledQuestion(Question):
    """What answers from a model share: it was fitted to a snapshot, which the answer names.

    Models are fitted by the schedule after sales changed, and at once on a laptop; `model` of the JSON answer says the
    snapshot that was fitted to, the parameters and how the fit did on days held out. A model that did worse there than
    a naive forecast is not served: the answer is the error `model_refused`, and says so.
    """

    model: ClassVar[str] = ""
    """The name of the fit in teal.models."""

    def fit_of(self, context: Context, currency: str | None) -> tuple[str, Fit]:
        """The fit to amounts in a currency, or to the only one there are, with its name.

        Raises ModelMissingError, ModelRefusedError, MixedCurrenciesError.
        """
        fits = {key[1]: fit for key, fit in context.fits.items() if key[0] == self.model and key[1] != ALL}
        if not fits:
            raise ModelMissingError(NOTHING_YET)
        wanted = code_of(currency)
        if wanted is None and len(fits) > 1:
            raise MixedCurrenciesError(f"Amounts are in {', '.join(sorted(fits))}: name one with currency=.")
        name = wanted or next(iter(fits))
        if name not in fits:
            raise ModelRefusedError(
                f"Nobody bought in {name} by the snapshot that was fitted to.", reason="no_customers"
            )
        return name, self.served(fits[name])

    def served(self, fit: Fit) -> Fit:
        """The fit itself. Raises ModelRefusedError."""
        if fit.status != "served":
            why = WHY_REFUSED.get(fit.reason, fit.reason)
            raise ModelRefusedError(f"The model is not served: {why}.", reason=fit.reason, facts=dict(fit.facts))
        return fit

    def told_of(self, fit: Fit, facts: dict[str, Any]) -> dict[str, Any]:
        """What JSON says of a fit."""
        at = fit.fitted_at.isoformat().replace("+00:00", "Z")
        return {"name": self.model, "snapshot": fit.snapshot, "fitted_at": at, **facts}
