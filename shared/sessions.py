"""Warm DuckDB sessions for work that stages tables: one at a time each, clean when it comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.duck import Duck, quoted


class Sessions:
    """Lends sessions and keeps one idle; opening one costs a tenth of a second, mostly loading extensions."""

    def __init__(self, open_duck: Callable[[], Duck], refresh_access: Callable[[Duck], None]) -> None:
        self._open_duck = open_duck
        self._refresh_access = refresh_access
        self._lock = threading.Lock()
        self._idle: Duck | None = None

    @contextmanager
    def __call__(self) -> Iterator[Duck]:
        """A session with fresh store credentials and no tables of anybody else; broken ones are not lent again."""
        with self._lock:
            duck, self._idle = self._idle, None
        if duck is None:
            duck = self._open_duck()
        try:
            self._refresh_access(duck)
            yield duck
            _swept(duck)
        except BaseException:
            duck.close()
            raise
        with self._lock:
            if self._idle is None:
                self._idle, duck = duck, None
        if duck is not None:
            duck.close()


def _swept(duck: Duck) -> None:
    """Drop temporary tables and views, views first since they read the tables."""
    for kind, source in (("VIEW", "duckdb_views()"), ("TABLE", "duckdb_tables()")):
        column = kind.lower() + "_name"
        for (name,) in duck.execute(f"SELECT {column} FROM {source} WHERE temporary AND NOT internal"):
            duck.execute(f"DROP {kind} IF EXISTS temp.{quoted(name)}")
