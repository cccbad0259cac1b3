"""The engines that scans are compared on, each in a process of its own: statements come by line, answers go out.

``python -m benchmarks.scan_engines polars FOLDER 2`` reads the Parquet files of a folder as tables of their names with
two threads. It runs in our environment and in that of the peers, and so imports what an engine needs when it is named.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

Ask = Callable[[str], list[Any]]
"""Runs one statement and returns its rows, whole."""

MEMORY_MB = 1_024
"""What our sessions get in the other benchmarks; the peers take what they want."""


def main(name: str, folder: str, threads: str) -> None:
    """Answers until there are no more lines: rows as text, milliseconds of the clock and of all threads."""
    # A library that prints must not speak between the answers.
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    ask = ENGINES[name]({path.stem: path for path in sorted(Path(folder).glob("*.parquet"))}, int(threads))
    for line in sys.stdin:
        started, worked = time.perf_counter(), time.process_time()
        rows = ask(json.loads(line))
        took, work = time.perf_counter() - started, time.process_time() - worked
        answer = {"rows": [[_text(value) for value in row] for row in rows], "ms": 1000 * took, "work": 1000 * work}
        print(json.dumps(answer), file=told)


def _ours(files: dict[str, Path], threads: int) -> Ask:
    """DuckDB as the product opens it, over the files."""
    from shared.duck import literal, open_duck, quoted

    duck = open_duck(memory_limit_mb=MEMORY_MB, threads=threads)
    for name, path in files.items():
        duck.execute(f"CREATE VIEW {quoted(name)} AS FROM read_parquet({literal(str(path))})")
    return duck.execute


def _lake(files: dict[str, Path], threads: int) -> Ask:
    """The same session over a lake to which the same files were added, as ingest adds them."""
    from shared.catalog.schema import create_table
    from shared.datasets.registry import built_in
    from shared.duck import open_duck, quoted

    duck = open_duck(memory_limit_mb=MEMORY_MB, threads=threads)
    folder = Path(tempfile.mkdtemp(prefix="teal-scans-"))
    duck.attach(folder / "catalog.ducklake", "lake", f"{folder}/", read_only=False)
    for name, path in files.items():
        create_table(duck, "lake", built_in()[name])
        duck.execute("CALL ducklake_add_data_files('lake', $name, $path)", {"name": name, "path": str(path)})
    duck.detach("lake")
    duck.attach(folder / "catalog.ducklake", "lake", f"{folder}/", read_only=True)
    duck.execute(f"USE {quoted('lake')}")
    return duck.execute


def _datafusion(files: dict[str, Path], threads: int) -> Ask:
    import datafusion

    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(threads))
    for name, path in files.items():
        context.register_parquet(name, str(path))
    return lambda sql: [row.values() for batch in context.sql(sql).collect() for row in batch.to_pylist()]


def _chdb(files: dict[str, Path], threads: int) -> Ask:
    import chdb.session

    session = chdb.session.Session()
    for name, path in files.items():
        session.query(f"CREATE VIEW {name} AS SELECT * FROM file('{path}', Parquet)")
    settings = (
        f"SETTINGS max_threads = {threads}, session_timezone = 'UTC', output_format_json_quote_64bit_integers = 0"
    )

    def ask(sql: str) -> list[Any]:
        answer = session.query(f"{sql} {settings}", "JSONCompactEachRow").bytes().decode()
        return [json.loads(line, parse_float=Decimal) for line in answer.splitlines()]

    return ask


def _polars(files: dict[str, Path], threads: int) -> Ask:
    # Read when the library is imported.
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars

    context = polars.SQLContext({name: polars.scan_parquet(path) for name, path in files.items()})
    return lambda sql: context.execute(sql).collect(engine="streaming").rows()


ENGINES = {"ours": _ours, "lake": _lake, "datafusion": _datafusion, "chdb": _chdb, "polars": _polars}


def _text(value: Any) -> str:
    """A value as every engine would write it: days without a time, numbers without zeros that say nothing."""
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, (int, Decimal)):
        return format(Decimal(value).normalize(), "f")
    return str(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
