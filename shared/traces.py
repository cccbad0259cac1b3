"""What objects beside a lake's tables say about erased persons: held rows, stored answers, upload records, inbox files.

The rule: a file goes only when all of it is in the lake; what may still be needed is named instead. Doing it twice does
no harm.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared.catalog.stored import lake_prefix
from shared.datasets.contract import Contract
from shared.datasets.registry import best, bind, plain
from shared.duck import Duck, literal, quoted
from shared.errors import AppError, ObjectNotFoundError
from shared.formats.base import open_table
from shared.formats.streams import CHUNK_BYTES, chunks, compression_of
from shared.formats.table import ReadOptions
from shared.inbox import COMMANDS
from shared.sql.load import statement
from shared.steps.erased import emails_in, place_of
from shared.steps.fingerprints import Mentions
from shared.steps.hold import held_key
from shared.steps.withhold import mentioned
from shared.storage.base import ObjectInfo, ObjectStore

log = logging.getLogger("teal.erasure")

ROWS_AT_ONCE = 20_000
OVERLAP_BYTES = 1_024
SMALL_BYTES = 64 * 2**10
"""Inbox objects of JSON lines up to this size are row edits, most of the time: looked at without the engine."""


@dataclass
class Found:
    """What was found: held rows emptied, objects deleted, and inbox files by upload id: ``deleted`` and ``kept``.

    ``unsearched`` files were not looked at in time; ``searched_to`` is where the next run goes on, "" when it need not.
    """

    held_rows: int = 0
    answers: int = 0
    records: int = 0
    deleted: list[str] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    unsearched: int = 0
    searched_to: str = ""


@dataclass(frozen=True)
class Traces:
    """The objects of one tenant; ``duck`` reaches the lake's store and knows ``fingerprint``."""

    duck: Duck
    lake: ObjectStore
    inbox: ObjectStore
    tenant: str
    mentions: Mentions
    contracts: Mapping[str, Contract]
    folder: Path

    def held_rows(self) -> int:
        """Empty what held rows tell about the persons; how many they were."""
        emptied = 0
        for info in list(self.lake.list(f"{lake_prefix(self.tenant)}held/")):
            uri = self.lake.uri_of(info.key)
            places = list(self._held_places(uri))
            if places:
                path = self.folder / "held-again.parquet"
                select = statement("erasure/held_again")
                self.duck.execute(
                    f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet)", {"uri": uri, "places": places}
                )
                upload_id = info.key.rsplit("/", 1)[-1].split(".")[0]
                # Under another name, since readers keep what they once read of a file.
                key = held_key(self.tenant, upload_id, secrets.token_hex(4))
                self.lake.put_file(key, path, content_type="application/vnd.apache.parquet")
                self.lake.delete(info.key)
                emptied += len(places)
        return emptied

    def _held_places(self, uri: str) -> Iterator[int]:
        total = int(self.duck.value("SELECT count(*) FROM read_parquet($uri)", {"uri": uri}))
        for first in range(0, total, ROWS_AT_ONCE):
            bound = {"uri": uri, "first": first, "rows": ROWS_AT_ONCE}
            for place, dataset, column, text, original in self.duck.execute(statement("erasure/held"), bound):
                if mentioned(self.mentions, self.contracts.get(dataset), column, text, original or ""):
                    yield place

    def answers(self) -> int:
        """Delete all stored answers: whoever asks again gets one of now."""
        infos = list(self.lake.list(f"{lake_prefix(self.tenant)}answers/"))
        for info in infos:
            self.lake.delete(info.key)
        return len(infos)

    def records(self, settled: frozenset[str]) -> int:
        """Delete records of settled uploads that mention a person, such as those of row edits."""
        deleted = 0
        for info in self.lake.list(f"uploads/{self.tenant}/"):
            if info.key.rsplit("/", 1)[-1].split(".")[0] not in settled:
                continue
            try:
                if self.mentions.in_document(json.loads(self.lake.get(info.key)[0])):
                    self.lake.delete(info.key)
                    deleted += 1
            except (ValueError, ObjectNotFoundError):
                log.info("an upload record went meanwhile", extra={"object_key": info.key})
        return deleted

    def files(self, found: Found, *, delete: bool, after: str, seconds: float) -> None:
        """Look into every file of the inbox, from a key on and for so long; delete those that are not needed."""
        give_up_at = time.monotonic() + seconds
        ledger = _by_object(self.duck.execute(statement("erasure/inbox")))
        infos = [i for i in self.inbox.list(f"inbox/{self.tenant}/") if i.key.split("/")[2] != COMMANDS]
        found.searched_to, todo = "", [info for info in infos if info.key > after]
        for number, info in enumerate(todo):
            if number and time.monotonic() > give_up_at:
                found.unsearched, found.searched_to = len(todo) - number, todo[number - 1].key
                break
            if not self._file_mentions(info):
                continue
            upload_id, status, is_spent = _known(ledger, info)
            if is_spent and delete:
                self.inbox.delete(info.key)
                found.deleted.append(upload_id)
            else:
                found.kept.append({"upload_id": upload_id, "status": status, "dataset": info.key.split("/")[2]})

    def _file_mentions(self, info: ObjectInfo) -> bool:
        dataset = info.key.split("/")[2]
        try:
            if info.size_bytes <= SMALL_BYTES and info.key.endswith("row.ndjson"):
                lines = self.inbox.get(info.key)[0].splitlines()
                return any(self._document_mentions(json.loads(line), dataset) for line in lines if line.strip())
            with TemporaryDirectory(prefix="teal-look-", dir=self.folder) as folder:
                path = Path(folder) / "upload"
                self.inbox.download(info.key, path)
                return self._mentions(path, Path(folder), dataset)
        except (ObjectNotFoundError, ValueError, zipfile.BadZipFile, EOFError, zlib.error) as error:
            # Not its key: the name of a file may be somebody's.
            told = {"tenant": self.tenant, "dataset": dataset, "etag": info.etag, "error": type(error).__name__}
            log.info("an inbox file cannot be read", extra=told)
            return False

    def _mentions(self, path: Path, folder: Path, dataset: str) -> bool:
        try:
            if self._table_mentions(path, folder, dataset):
                return True
            # A workbook has more than the one table that was read.
            return zipfile.is_zipfile(path) and any(map(self._bytes_mention, _parts(path)))
        except AppError as error:
            if error.again:
                raise
            return any(map(self._bytes_mention, _parts(path)))

    def _document_mentions(self, document: Any, dataset: str) -> bool:
        text = json.dumps(document)
        return mentioned(self.mentions, self.contracts.get(dataset), "", None, text)

    def _table_mentions(self, path: Path, folder: Path, dataset: str) -> bool:
        table = open_table(self.duck, path, "looked_at", options=ReadOptions(), work_dir=folder, filename="upload")
        contract = self.contracts.get(dataset) or best(self.contracts.values(), table.columns)
        named = {name for name in table.columns if plain(name) in self.mentions.named}
        if contract is not None:
            bound = bind(contract, table.columns)
            named |= {bound[name] for name in place_of(contract).customers if name in bound}
        wanted = [
            f"SELECT 'customer' AS kind, trim({quoted(name)}) AS told FROM looked_at WHERE {quoted(name)} IS NOT NULL"
            for name in sorted(named)
        ]
        wanted += [
            f"SELECT 'email' AS kind, unnest({emails_in(quoted(name))}) AS told "
            f"FROM looked_at WHERE contains({quoted(name)}, '@')"
            for name in table.columns
            if self.mentions.emails
        ]
        if not wanted:
            return False
        return bool(
            self.duck.value(
                f"SELECT EXISTS (SELECT 1 FROM (SELECT DISTINCT kind, told FROM ({' UNION ALL '.join(wanted)})) "
                "WHERE list_contains($marks, fingerprint(kind, told)))",
                {"marks": sorted(self.mentions.persons | self.mentions.emails)},
            )
        )

    def _bytes_mention(self, body: bytes) -> bool:
        # Without NULs, two-byte encodings are as good as one-byte ones for ids and addresses.
        return self.mentions.in_text(body.replace(b"\0", b"").decode("utf-8", "replace"))


def _by_object(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], tuple[str, str, bool]]:
    """Ledger rows by key and version, or key and ETag; the last one of an object counts."""
    found = {}
    for key, version, etag, upload_id, status, is_spent in rows:
        for identity in filter(None, (version, etag)):
            found[key, identity] = (upload_id, status, is_spent)
    return found


def _known(ledger: Mapping[tuple[str, str], tuple[str, str, bool]], info: ObjectInfo) -> tuple[str, str, bool]:
    for identity in (info.version, info.etag.strip('"')):
        if identity and (info.key, identity) in ledger:
            return ledger[info.key, identity]
    return "", "not brought in", False


def _parts(path: Path) -> Iterator[bytes]:
    """The bytes of a file of any kind in pieces that overlap; of an archive or a workbook, those of each member."""
    if not zipfile.is_zipfile(path):
        yield from _overlapping(chunks(path, compression_of(path)))
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                yield from _overlapping(iter(lambda opened=member: opened.read(CHUNK_BYTES), b""))  # type: ignore[misc]


def _overlapping(pieces: Iterable[bytes]) -> Iterator[bytes]:
    end = b""
    for piece in pieces:
        yield end + piece
        end = (end + piece)[-OVERLAP_BYTES:]
