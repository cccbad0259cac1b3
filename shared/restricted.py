"""A lake as a credential with rules sees it, open for reading: views in place of its datasets, and rollups of these.

The rule: a connection that shows a part of a lake never showed the whole of it. What no rule can be kept in, such as
models that were fitted to all rows, is empty there.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from shared.catalog.base import Catalog
from shared.catalog.reader import LakeReader, PinnedLake
from shared.catalog.schema import needed_columns
from shared.catalog.views import Shown, references_of, require_fit, selects
from shared.catalog.writer import LAKE, Change
from shared.datasets.rules import DataRules
from shared.duck import Duck, quoted
from shared.snapshots import contracts_in
from shared.sql.load import names, statement
from shared.steps.rollups import rebuild_rollups

WHOLE = "whole"
"""The alias of the lake itself; what is read lies in ``LAKE``, beside it."""

KNOWN_TO_ALL = ("contracts", "questions")
"""Own tables that tell nothing of any row."""

MAX_OPEN = 4
"""Lakes as somebody sees them that are kept open: each holds the totals of its orders in memory."""

RENEW_SECONDS = 60.0

_Key = tuple[str, str, int, datetime]


@dataclass
class _Opened:
    """One of them; made by whoever asks first, while others wait for it."""

    folder: Path
    duck: Duck | None = None
    users: int = 0
    renewed_at: float = 0.0
    making: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        if self.duck is not None:
            self.duck.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class RestrictedLakes:
    """Opens them, and keeps the last few for the next request; for all threads of a process."""

    def __init__(
        self,
        reader_of: Callable[[str], LakeReader],
        catalog_of: Callable[[str], Catalog],
        open_duck: Callable[[], Duck],
        *,
        refresh_access: Callable[[Duck], None] = lambda duck: None,
        timezone: str = "UTC",
        work_directory: Path | None = None,
    ) -> None:
        self._reader_of = reader_of
        self._catalog_of = catalog_of
        self._open_duck = open_duck
        self._refresh_access = refresh_access
        self._timezone = timezone
        self._work_directory = work_directory
        self._lock = threading.Lock()
        self._opened: OrderedDict[_Key, _Opened] = OrderedDict()

    @contextmanager
    def pin(
        self, tenant: str, rules: DataRules, snapshot: int | None = None, as_of: datetime | None = None
    ) -> Iterator[PinnedLake]:
        """As ``LakeReader.pin``. Raises RulesDoNotFitError beside."""
        with self._reader_of(tenant).pin(snapshot, as_of) as lake:
            key = (tenant, rules.digest, lake.snapshot_id, lake.committed_at)
            with self._lent(key) as opened:
                cursor = self._cursor(opened, lake, tenant, rules)
                try:
                    yield replace(lake, duck=cursor, alias=WHOLE, seen_by=rules.digest)
                finally:
                    cursor.close()

    @contextmanager
    def _lent(self, key: _Key) -> Iterator[_Opened]:
        with self._lock:
            if key not in self._opened:
                self._opened[key] = _Opened(Path(mkdtemp(prefix="teal-part-", dir=self._work_directory)))
            opened = self._opened[key]
            self._opened.move_to_end(key)
            opened.users += 1
        try:
            yield opened
        finally:
            with self._lock:
                opened.users -= 1
                idle = [known for known, one in self._opened.items() if not one.users]
                failed = [known for known in idle if self._opened[known].duck is None]
                ended = [self._opened.pop(known) for known in {*failed, *idle[: max(0, len(self._opened) - MAX_OPEN)]}]
            for one in ended:
                one.close()

    def _cursor(self, opened: _Opened, lake: PinnedLake, tenant: str, rules: DataRules) -> Duck:
        with opened.making:
            if opened.duck is None:
                opened.duck = self._made(opened.folder, lake, tenant, rules)
                opened.renewed_at = time.monotonic()
            if time.monotonic() > opened.renewed_at + RENEW_SECONDS:
                self._refresh_access(opened.duck)
                opened.renewed_at = time.monotonic()
            cursor = opened.duck.cursor()
        cursor.execute(f"USE {LAKE}")
        return cursor

    def _made(self, folder: Path, lake: PinnedLake, tenant: str, rules: DataRules) -> Duck:
        contracts = contracts_in(lake)
        require_fit(rules, contracts)
        shown = Shown(rules, references_of(contracts))
        # A copy of its own, since the reader deletes the one it has when a newer catalog comes.
        catalog = folder / "catalog.ducklake"
        shutil.copyfile(str(lake.duck.value(statement("lake/place"), {"alias": lake.alias})), catalog)
        duck = self._open_duck()
        try:
            self._refresh_access(duck)
            data_uri = self._catalog_of(tenant).data_uri
            duck.attach(catalog, WHOLE, data_uri, read_only=True, snapshot=lake.snapshot_id)
            datasets = [name for (name,) in duck.execute(statement("lake/datasets"), {"alias": WHOLE})]
            types = {name: duck.columns(f"{WHOLE}.main.{quoted(name)}") for name in datasets}
            duck.execute(f"ATTACH ':memory:' AS {LAKE}")
            duck.execute(f"CREATE SCHEMA {LAKE}.teal")
            duck.execute(f"USE {LAKE}")
            for name in names("schema/"):
                duck.execute(statement(name))
            for table in KNOWN_TO_ALL:
                duck.execute(f"INSERT INTO {LAKE}.teal.{table} BY NAME FROM {WHOLE}.teal.{table}")
            for name, select in selects(types, shown, f"{WHOLE}.main").items():
                duck.execute(f"CREATE VIEW {LAKE}.main.{quoted(name)} AS {select}")
            for table, columns in needed_columns().items():
                schema, _, name = table.partition(".")
                if schema == "main" and name not in types:
                    told = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
                    duck.execute(f"CREATE TABLE {LAKE}.main.{quoted(name)} ({told})")
            duck.execute("USE memory")
            # On a connection of its own: its temporary tables go with it.
            maker = duck.cursor()
            rebuild_rollups(Change(maker), self._timezone)
            maker.close()
        except BaseException:
            duck.close()
            raise
        return duck

    def close(self) -> None:
        """Close all of them; nobody may be reading."""
        with self._lock:
            ended = list(self._opened.values())
            self._opened.clear()
        for one in ended:
            one.close()
