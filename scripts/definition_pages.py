"""Writes docs/definitions: every definition as the API serves it, with examples computed from the sample data.

Run it as ``python -m scripts.definition_pages`` after a definition has changed; a test compares pages and code.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from shared.datasets.question import QUESTIONS
from shared.datasets.questions.definitions import names, text
from shared.datasets.questions.metrics import COLUMNS
from shared.datasets.questions.modelled import ModelledQuestion
from shared.fit_models import FitModels
from shared.fitted.baskets import BasketModel
from shared.fitted.lifetime import LifetimeModel
from shared.fitted.series import AnomalyModel, ForecastModel
from shared.sessions import Sessions
from tests.web import Web, web_of

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/definitions"
SAMPLE = ROOT / "samples/online_retail.parquet"


def pages(web: Web) -> dict[str, str]:
    """Every page by its path under docs/definitions; ``web`` holds the sample data."""
    made = {f"{name}.md": text(name) + (example(web, name) if name in QUESTIONS else "") for name in names()}
    return {"README.md": contents(), **made}


def contents() -> str:
    """The list of all pages."""
    lines = ["# What every number means", "", "Also served as `GET /v1/definitions`.", "", "## Questions", ""]
    lines += [f"- [{question.title}]({name}.md): `/v1/{name}`" for name, question in QUESTIONS.items()]
    lines += ["", "## Columns", ""]
    lines += [f"- [{metric.title}]({name}.md): `{name}`" for name, metric in COLUMNS.items()]
    return "\n".join(lines) + "\n"


def example(web: Web, name: str) -> str:
    """The example of a question: its request, and the rows of its answer."""
    asked = QUESTIONS[name].example
    answer = web.client.get(f"/v1/{name}", params=dict(asked))
    answer.raise_for_status()
    rows: list[dict[str, Any]] = answer.json()["rows"]
    is_modelled = issubclass(QUESTIONS[name], ModelledQuestion)
    rows = [{key: _short(value) for key, value in row.items()} for row in rows] if is_modelled else rows
    of = ", rounded to three digits" if is_modelled else ""
    shown = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
    return (
        f"\n## Example\n\nOn the sample data (UCI Online Retail){of}:\n\n"
        f"```\nGET /v1/{name}?{urlencode(asked, doseq=True)}\n```\n\n```json\n[\n{shown}\n]\n```\n"
    )


def _short(value: Any) -> Any:
    """Three digits of what a search found: the last ones differ from processor to processor."""
    if isinstance(value, str) and re.fullmatch(r"-?\d+\.\d+", value):
        value = float(value)
    return float(f"{value:.3g}") if isinstance(value, float) else value


def sample_web(folder: Path) -> Web:
    """An API over the sample data, with its models fitted."""
    web = web_of(folder)
    web.shop.upload("auto", SAMPLE.name, SAMPLE)
    session = Sessions(web.shop.writer.open_duck, lambda duck: None)
    models = (LifetimeModel(), ForecastModel(), AnomalyModel(), BasketModel())
    FitModels(lambda tenant: web.shop.writer, session, models)("shop")
    web.fresh()
    return web


def main() -> None:
    """Write all pages."""
    with tempfile.TemporaryDirectory() as folder:
        for path, content in pages(sample_web(Path(folder))).items():
            (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / path).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
