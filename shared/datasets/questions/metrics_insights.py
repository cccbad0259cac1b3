"""What the columns of insights mean; see metrics."""

from __future__ import annotations

from shared.datasets.questions.metric import Metric

OF_INSIGHTS: dict[str, Metric] = {
    "kind": Metric("Kind", "What kind of action it is; the question says what each one looks at.", "one of `kind`"),
    "title": Metric("Title", "The action in a sentence, with its main numbers.", "text made of the evidence"),
    "subject_type": Metric(
        "Subject",
        "What it is about: customer, product, pair (of products), country, channel, day, month, customers or products.",
        "text",
    ),
    "subject_ids": Metric("Ids", "The ids of what it is about; of a pair, what is bought first.", "as uploaded"),
    "subject_names": Metric(
        "Names",
        "Their names, in the same order; of customers for who may see personal data, else null.",
        "as uploaded",
    ),
    "money_at_stake": Metric(
        "Money at stake",
        "What the action is about, in the currency of the answer, by the formula in `how`; rows are ordered by it.",
        "`how`, to 4 decimals",
    ),
    "evidence": Metric(
        "Evidence",
        "The numbers it comes from, by name: counts, amounts in the currency (exact decimals), and rates (shares, "
        "scores, chances).",
        "{counts, amounts, rates}",
    ),
    "period_from": Metric("Period from", "The first day or instant that the money is of.", "ISO 8601"),
    "period_to": Metric("Period to", "The first day or instant after that.", "ISO 8601"),
    "how": Metric("How", "The formula of the money at stake, in words.", "text"),
    "threshold": Metric("Threshold", "What it had to pass to be an insight.", "text with the parameters asked for"),
    "look_further": Metric("Look further", "The question with more about it, with its parameters.", "path of the API"),
}
