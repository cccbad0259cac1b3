"""Measures side by side in one run and prints ratios: ``make bench``. Times depend on the machine, ratios much less.

``python -m benchmarks ingest answers`` runs some of them; ``large`` runs only when it is named.
"""

from __future__ import annotations

import sys

from benchmarks import answers, cold_start, ingest, large

BENCHMARKS = {"ingest": ingest.main, "answers": answers.main, "cold_start": cold_start.main}


def main(names: list[str]) -> None:
    """Run the named benchmarks, all of them without names."""
    for name in names or BENCHMARKS:
        print(f"--- {name}")
        (BENCHMARKS | {"large": large.main})[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
