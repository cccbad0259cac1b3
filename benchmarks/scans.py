"""Raw scans beside DataFusion, chdb and Polars: the same SQL on the same Parquet files, no rollup, in one run.

Each engine has a process of its own with as many threads, and is warm. Answers must be equal before anything is timed;
then every repetition asks all engines, each time in another order, so that other work of the machine meets all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.timing import median_of
from shared.datasets.registry import built_in
from shared.duck import Duck, literal, open_duck, quoted
from shared.sample.make import make_sample
from shared.sample.shop import SampleOrder
from tests.tools import environment

SEED = 7
FIRST, PAST = date(2022, 1, 1), date(2025, 1, 1)
MEMORY_MB, THREADS = 1_024, 2
PEERS = ("datafusion==55.0.0", "chdb==4.4.0", "polars==2.1.0", "pyarrow==26.0.1")
"""Whom we are measured beside, with what the first needs to hand over rows."""
OUR_NAMES = ("ours", "lake")
"""The product's session over the files, and over a lake that has them."""
FILES = {"order_items": "[0-9]*", "orders": "[0-9]*", "products": "*"}
"""The datasets that are asked, and their files in a sample; files of late changes have the same orders again."""
BUDGET = 1.3
"""How much longer than the fastest peer a scan may take."""

REVENUE = "sum(quantity * unit_price - coalesce(order_items.discount, 0)) AS revenue"
QUESTIONS = {
    "sum of everything": f"SELECT {REVENUE}, sum(quantity) AS units, count(*) AS lines FROM order_items",
    "best ten products": (
        f"SELECT product_id, {REVENUE} FROM order_items GROUP BY product_id ORDER BY revenue DESC, product_id LIMIT 10"
    ),
    "by month": (
        f"SELECT date_trunc('month', ordered_at) AS month, {REVENUE}, count(*) AS lines FROM order_items "
        "GROUP BY date_trunc('month', ordered_at) ORDER BY month"
    ),
    "a quarter by type of line": (
        f"SELECT line_type, {REVENUE}, count(*) AS lines FROM order_items "
        "WHERE ordered_at >= '2024-04-01' AND ordered_at < '2024-07-01' GROUP BY line_type ORDER BY line_type"
    ),
    "cheap lines by product": (
        f"SELECT product_id, {REVENUE} FROM order_items WHERE unit_price < 20 AND line_type = 'sale' "
        "GROUP BY product_id ORDER BY revenue DESC, product_id LIMIT 10"
    ),
    "distinct orders": "SELECT count(DISTINCT order_id) AS orders FROM order_items",
    "distinct customers by country": (
        "SELECT country, count(DISTINCT customer_id) AS customers, count(*) AS orders FROM orders "
        "WHERE country IS NOT NULL GROUP BY country ORDER BY country"
    ),
    "lines with orders and products, by category": (
        f"SELECT products.category AS category, {REVENUE}, count(*) AS lines FROM order_items "
        "INNER JOIN orders ON order_items.order_id = orders.order_id "
        "INNER JOIN products ON order_items.product_id = products.product_id "
        "WHERE orders.status = 'completed' GROUP BY products.category ORDER BY category"
    ),
    "largest ten orders": (
        f"SELECT order_id, {REVENUE} FROM order_items GROUP BY order_id ORDER BY revenue DESC, order_id LIMIT 10"
    ),
}
QUESTIONS["by month, days first"] = QUESTIONS["by month"]
OURS = {
    # DuckDB asks its calendar of time zones once for each row; a day of UTC is a division, and there are few days.
    "by month, days first": (
        "SELECT date_trunc('month', DATE '1970-01-01' + day) AS month, sum(revenue) AS revenue, sum(lines) AS lines "
        f"FROM (SELECT (epoch_us(ordered_at) // 86400000000)::INTEGER AS day, {REVENUE}, count(*) AS lines "
        "FROM order_items GROUP BY day) GROUP BY month ORDER BY month"
    ),
}
"""What we ask in other words, where the question is how well each engine can do."""


@dataclass(frozen=True)
class Answer:
    """Rows as text, milliseconds of the clock, and what all threads of the engine worked."""

    rows: list[list[str]]
    ms: float
    work: float


@dataclass(frozen=True)
class Engine:
    """An engine in its process."""

    name: str
    process: subprocess.Popen[str]
    is_ours: bool

    def ask(self, question: str) -> Answer:
        """The answer to one question. Raises RuntimeError when the process has ended."""
        sql = OURS.get(question, QUESTIONS[question]) if self.is_ours else QUESTIONS[question]
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(sql) + "\n")
        self.process.stdin.flush()
        told = self.process.stdout.readline()
        if not told:
            raise RuntimeError(f"{self.name} could not answer: {sql}")
        return Answer(**json.loads(told))


def main(options: Sequence[str] = ()) -> None:
    """Prints a table; ``--lines`` says how large the shop is, or ``--files`` where its Parquet files are."""
    parser = argparse.ArgumentParser(prog="scans")
    parser.add_argument("--lines", type=int, default=1_000_000, help="order lines of the shop")
    parser.add_argument("--runs", type=int, default=9, help="repetitions")
    parser.add_argument("--threads", type=int, default=THREADS, help="threads of each engine")
    parser.add_argument("--files", type=Path, help="a folder that keeps the Parquet files for another run")
    parser.add_argument("--written", default="", help="more of how the files are written: DICTIONARY_SIZE_LIMIT 50000")
    parser.add_argument("--only", default="", help="only questions that contain this")
    chosen = parser.parse_args(options)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = chosen.files or scratch / "files"
        _make(folder, chosen.lines, chosen.written)
        pythons = dict.fromkeys(OUR_NAMES, sys.executable)
        pythons |= dict.fromkeys(_peers(), str(environment("peers", PEERS) / "bin" / "python"))
        engines = [
            stack.enter_context(_engine(name, python, folder, chosen.threads, scratch))
            for name, python in pythons.items()
        ]
        print(f"| question | {' | '.join(engine.name for engine in engines)} | ratio | of work | lake's ratio |")
        print("| --- |" + " ---: |" * (len(engines) + 3))
        for question in QUESTIONS:
            if chosen.only in question:
                print(_row(question, engines, _measured(question, engines, chosen.runs)), flush=True)


def _peers() -> list[str]:
    return [requirement.partition("==")[0] for requirement in PEERS[:3]]


def _make(folder: Path, lines: int, written: str) -> None:
    """One Parquet file of each dataset, as ingest writes it, with the options that are ``written`` beside."""
    if (folder / "order_items.parquet").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    duck = open_duck(memory_limit_mb=MEMORY_MB, threads=THREADS)
    with tempfile.TemporaryDirectory(dir=folder) as sample:
        made = Path(sample) / "sample"
        order = SampleOrder(lines, SEED, FIRST, PAST)
        make_sample(order, made, lambda done, share: None, memory_limit_mb=MEMORY_MB, threads=THREADS)
        for dataset, files in FILES.items():
            _write(duck, dataset, str(made / dataset / f"{files}.parquet"), folder / f"{dataset}.parquet", written)
    duck.close()


def _write(duck: Duck, dataset: str, source: str, path: Path, written: str) -> None:
    there = duck.columns(f"(FROM read_parquet({literal(source)}))")
    columns = ", ".join(
        f"{quoted(column.name) if column.name in there else 'NULL'}::{column.sql_type} AS {quoted(column.name)}"
        for column in built_in()[dataset].columns
    )
    select = f"SELECT {columns} FROM read_parquet({literal(source)})"
    options = ", ".join(["FORMAT parquet", *([written] if written else [])])
    duck.execute(f"COPY ({select}) TO {literal(str(path))} ({options})")


@contextmanager
def _engine(name: str, python: str, folder: Path, threads: int, scratch: Path) -> Iterator[Engine]:
    command = [python, "-m", "benchmarks.scan_engines", name, str(folder.resolve()), str(threads)]
    environ = {**os.environ, "TMPDIR": str(scratch), "TZ": "UTC"}
    # Its end is that of what it reads.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        yield Engine(name, process, name in OUR_NAMES)


def _measured(question: str, engines: Sequence[Engine], runs: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds of the clock and of work, for each engine. Raises RuntimeError when they disagree."""
    answers = {engine.name: engine.ask(question).rows for engine in engines}
    wrong = [name for name, rows in answers.items() if rows != answers["ours"]]
    if wrong:
        told = "\n".join(f"{name}: {answers[name][:3]}" for name in ("ours", *wrong))
        raise RuntimeError(f"{question}: not the same answer\n{told}")
    found: dict[str, list[Answer]] = {engine.name: [] for engine in engines}
    chance = random.Random(SEED)
    for _ in range(runs):
        for engine in chance.sample(engines, len(engines)):
            found[engine.name].append(engine.ask(question))
    return {
        name: (median_of([one.ms for one in asked]), median_of([one.work for one in asked]))
        for name, asked in found.items()
    }


def _row(question: str, engines: Sequence[Engine], found: dict[str, tuple[float, float]]) -> str:
    """A row in Markdown: milliseconds of the clock (of work), and ours by those of the fastest peer."""
    cells = " | ".join(f"{found[engine.name][0]:.0f} ({found[engine.name][1]:.0f})" for engine in engines)
    clock, work = (min(found[name][which] for name in _peers()) for which in (0, 1))
    ratio, lake = found["ours"][0] / clock, found["lake"][0] / clock
    told = f"{ratio:.2f}" if ratio <= BUDGET else f"**{ratio:.2f}, above {BUDGET}**"
    return f"| {question} | {cells} | {told} | {found['ours'][1] / work:.2f} | {lake:.2f} |"
