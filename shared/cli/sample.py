"""``teal sample``: a made-up shop of any size as Parquet files, and at once into the lake if wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from shared import bootstrap
from shared.cli.options import json_option, operator, tenant_option
from shared.outcome import Outcome
from shared.terminal import err, show
from shared.uploads import UploadOrder
from shared.values import UploadedObject

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(short_help="Make up a realistic shop of any size.")
@click.option("--lines", default=100_000, show_default=True, help="Order lines, exactly; the rest follows.")
@click.option("--seed", default=1, show_default=True, help="Another seed is another shop.")
@click.option("--start", type=_DAY, default="2022-01-01", show_default=True, help="First day.")
@click.option("--end", type=_DAY, default="2025-01-01", show_default=True, help="The day after the last.")
@click.option("--out", type=click.Path(path_type=Path), default="teal-sample", show_default=True, help="A new folder.")
@click.option("--file-lines", default=2_000_000, show_default=True, help="Order lines of one file, at most.")
@click.option("--memory-mb", default=1_024, show_default=True, type=click.IntRange(128), help="DuckDB's memory limit.")
@click.option("--upload", "brings_in", is_flag=True, help="Bring it into the lake that TEAL_LAKE names.")
@tenant_option
@json_option
def sample(  # noqa: PLR0917 - click passes every option by name
    lines: int,
    seed: int,
    start: datetime,
    end: datetime,
    out: Path,
    file_lines: int,
    memory_mb: int,
    brings_in: bool,
    tenant: str,
    as_json: bool,
) -> None:
    """Make up a realistic shop as Parquet files: customers, products, orders, order lines, events, exchange rates.

    The same options make the same rows on every machine.
    """
    from shared.sample.make import make_sample
    from shared.sample.shop import SampleOrder

    order = SampleOrder(lines, seed, start.date(), end.date(), file_lines)
    if brings_in:
        # A setting that is wrong shows before the work and not after it.
        bootstrap.uploads()
    with _telling() as tell:
        made = make_sample(order, out, tell, memory_limit_mb=memory_mb, threads=os.cpu_count() or 1)
        outcomes = list(_brought_in(out, list(made), tenant, tell)) if brings_in else []
    show([_row(name, count, len(_files(out, name)), outcomes) for name, count in made.items()], as_json)
    sys.exit(1 if any(outcome.status == "held" or outcome.counts.held for outcome in outcomes) else 0)


@contextmanager
def _telling() -> Iterator[Callable[[str, float], None]]:
    """Something to tell how far the work is: a bar on a terminal, lines elsewhere."""
    if not err.is_terminal:
        yield lambda done, share: err.print(f"{share:4.0%} {done}", markup=False, highlight=False, soft_wrap=True)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("Starting", total=1.0)
        yield lambda done, share: progress.update(task, description=escape(done), completed=share)


def _files(out: Path, dataset: str) -> list[Path]:
    return sorted((out / dataset).iterdir())


def _brought_in(out: Path, datasets: list[str], tenant: str, tell: Callable[[str, float], None]) -> Iterator[Outcome]:
    """What became of every file on its way through the inbox."""
    files = [(dataset, file) for dataset in datasets for file in _files(out, dataset)]
    for number, (dataset, file) in enumerate(files):
        tell(f"Bringing in {dataset}/{file.name}", number / len(files))
        order = UploadOrder(dataset, f"{dataset}-{file.name}", size_bytes=file.stat().st_size)
        _, key = bootstrap.uploads().place(operator(tenant), order)
        bootstrap.inbox_store().put_file(key, file)
        yield bootstrap.ingest_upload()(UploadedObject(bootstrap.inbox_bucket(), key))


def _row(dataset: str, rows: int, files: int, outcomes: list[Outcome]) -> dict[str, str | int]:
    """What was made of a dataset, and what became of it if it was brought in."""
    row: dict[str, str | int] = {"dataset": dataset, "files": files, "rows": rows}
    counts = [outcome.counts for outcome in outcomes if outcome.dataset == dataset]
    for name in ("accepted", "held", "duplicate") if outcomes else ():
        row[name] = sum(getattr(one, name) for one in counts)
    return row
