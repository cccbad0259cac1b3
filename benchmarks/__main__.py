"""Measures side by side in one run and prints ratios: ``make bench``. Times depend on the machine, ratios much less.

``python -m benchmarks ingest answers`` runs some of them; ``large`` runs only when it is named. Options are those of
``growth`` or ``scans``, named alone: ``python -m benchmarks growth --lines 1000000 --times 30 --lakes /tmp/lakes``,
``python -m benchmarks scans --lines 3000000 --files /tmp/files``.
"""

from __future__ import annotations

import sys

from benchmarks import answers, cell, cold_start, growth, ingest, large, neighbours, rollup_cost, scans

BENCHMARKS = {
    "ingest": ingest.main,
    "rollup_cost": rollup_cost.main,
    "answers": answers.main,
    "cold_start": cold_start.main,
    "cell": cell.main,
    "neighbours": neighbours.main,
}


def main(given: list[str]) -> None:
    """Run the named benchmarks, all of them without names."""
    first = next((place for place, word in enumerate(given) if word.startswith("--")), len(given))
    names, options = given[:first], given[first:]
    with_options = {"scans": lambda: scans.main(options), "growth": lambda: growth.main(options)}
    known = {**BENCHMARKS, **with_options, "large": large.main}
    for name in names or [*BENCHMARKS, *with_options]:
        print(f"--- {name}")
        known[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
