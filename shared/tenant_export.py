"""Everything a tenant brought, as files that need nothing of ours: Parquet for rows, JSON for what was said about them.

The rule: one snapshot, named in the manifest; nothing is derived, and nothing is left out that could not be made again.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from shared.answers.encode import dumped
from shared.catalog.reader import LakeReader, PinnedLake
from shared.catalog.stored import lake_prefix
from shared.duck import literal, quoted
from shared.errors import NotFoundError, ObjectNotFoundError
from shared.snapshots import contracts_in
from shared.storage.base import ObjectStore, SignedUrl
from shared.tenant_objects import EXPORTS

TOLD = ("contracts", "uploads", "quality", "questions")
"""Tables of the lake's own that are exported: what its datasets are, what came in, how good it was, what is asked."""
MANIFEST = "export.json"


class UnknownExportError(NotFoundError):
    """No export of that id, or it was kept for a time and is gone."""

    code = "unknown_export"


@dataclass(frozen=True)
class ExportedFile:
    """One file: its path in the export, and its rows (None for held rows as they lie in the lake)."""

    name: str
    size_bytes: int
    rows: int | None = None


@dataclass(frozen=True)
class Export:
    """What was exported, or is to be: ``snapshot`` 0 and no files while it is ordered."""

    tenant: str
    export_id: str
    status: Literal["ordered", "done"]
    ordered_at: datetime
    finished_at: datetime | None = None
    snapshot: int = 0
    files: tuple[ExportedFile, ...] = ()

    def document(self) -> bytes:
        """As it is stored, beside the files."""
        return json.dumps(asdict(self), default=lambda moment: moment.isoformat(), indent=1).encode()


@dataclass(frozen=True)
class ExportTenant:
    """Exports lakes into a folder of this machine, or into the lakes' store under ``exports/<tenant>/<id>/``."""

    lake: ObjectStore
    reader_of: Callable[[str], LakeReader]
    work_directory: Path | None = None
    signed_url_seconds: int = 900

    def into_folder(self, tenant: str, folder: Path) -> Export:
        """Export now. Raises FileExistsError when the folder holds anything, and as the store and the engine do."""
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError(17, "is not empty", str(folder))
        ordered = Export(tenant, _new_id(), "ordered", datetime.now(UTC))
        snapshot, files = 0, []
        for snapshot, file, _ in self._written(tenant, folder):  # noqa: B007 - the snapshot of all of them
            files.append(file)
        done = _done(ordered, snapshot, files)
        (folder / MANIFEST).write_bytes(done.document())
        return done

    def order(self, tenant: str) -> Export:
        """Note that an export is wanted; ``run_ordered`` makes it."""
        export = Export(tenant, _new_id(), "ordered", datetime.now(UTC))
        self.lake.put_if_match(_manifest(export), export.document(), etag="")
        return export

    def withdraw(self, tenant: str) -> None:
        """Forget the exports that are ordered and were not made, so that a lake nobody can read is deleted too."""
        for export in self.all(tenant):
            if export.status == "ordered":
                self.lake.delete(_manifest(export))

    def run_ordered(self, tenant: str) -> list[Export]:
        """Make every export that is ordered and was not made. One that was interrupted is made anew."""
        return [self._run(export) for export in self.all(tenant) if export.status == "ordered"]

    def all(self, tenant: str) -> list[Export]:
        """Every export of a tenant that is still kept, oldest first."""
        keys = [info.key for info in self.lake.list(EXPORTS.format(tenant=tenant)) if info.key.endswith(f"/{MANIFEST}")]
        return sorted((_export_from(self.lake.get(key)[0]) for key in keys), key=lambda one: one.ordered_at)

    def one(self, tenant: str, export_id: str) -> Export:
        """Raises UnknownExportError."""
        if not export_id.isalnum() or not export_id.isascii():
            raise UnknownExportError("There is no such export.")
        try:
            return _export_from(self.lake.get(f"{EXPORTS.format(tenant=tenant)}{export_id}/{MANIFEST}")[0])
        except ObjectNotFoundError:
            raise UnknownExportError("There is no such export.") from None

    def urls(self, export: Export) -> dict[str, SignedUrl]:
        """A URL for each file, which ends after ``signed_url_seconds``."""
        return {
            file.name: self.lake.sign_get(
                _folder(export) + file.name, seconds=self.signed_url_seconds, filename=file.name.rsplit("/", 1)[-1]
            )
            for file in export.files
        }

    def _run(self, export: Export) -> Export:
        snapshot, files = 0, []
        with TemporaryDirectory(prefix="teal-export-", dir=self.work_directory) as work:
            for snapshot, file, path in self._written(export.tenant, Path(work)):  # noqa: B007 - as above
                self.lake.put_file(_folder(export) + file.name, path)
                # One at a time: the disk of a function is smaller than a lake.
                path.unlink()
                files.append(file)
        done = _done(export, snapshot, files)
        self.lake.put(_manifest(export), done.document(), content_type="application/json")
        return done

    def _written(self, tenant: str, folder: Path) -> Iterator[tuple[int, ExportedFile, Path]]:
        """Each file once it is written, with the snapshot; whoever takes it may delete it."""
        with self.reader_of(tenant).pin() as lake:
            for name in contracts_in(lake):
                path = _path(folder, f"datasets/{name}.parquet")
                rows = lake.duck.value(f"COPY (FROM {quoted(name)}) TO {literal(str(path))} (FORMAT parquet)")
                yield lake.snapshot_id, _file(folder, path, int(rows)), path
            for name in TOLD:
                path = _path(folder, f"{name}.json")
                told = _rows(lake, name)
                path.write_bytes(dumped(told))
                yield lake.snapshot_id, _file(folder, path, len(told)), path
            held = f"{lake_prefix(tenant)}held/"
            for info in self.lake.list(held):
                path = _path(folder, f"held/{info.key.removeprefix(held)}")
                self.lake.download(info.key, path)
                yield lake.snapshot_id, _file(folder, path, None), path


def _rows(lake: PinnedLake, table: str) -> list[dict[str, Any]]:
    result = lake.duck.query(f"FROM teal.{table} ORDER BY ALL")
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def _path(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _file(folder: Path, path: Path, rows: int | None) -> ExportedFile:
    return ExportedFile(path.relative_to(folder).as_posix(), path.stat().st_size, rows)


def _done(export: Export, snapshot: int, files: list[ExportedFile]) -> Export:
    return replace(export, status="done", finished_at=datetime.now(UTC), snapshot=snapshot, files=tuple(files))


def _new_id() -> str:
    return secrets.token_hex(12)


def _folder(export: Export) -> str:
    return f"{EXPORTS.format(tenant=export.tenant)}{export.export_id}/"


def _manifest(export: Export) -> str:
    return _folder(export) + MANIFEST


def _export_from(body: bytes) -> Export:
    told: dict[str, Any] = json.loads(body)
    finished = told["finished_at"]
    return Export(
        **{
            **told,
            "ordered_at": datetime.fromisoformat(told["ordered_at"]),
            "finished_at": datetime.fromisoformat(finished) if finished else None,
            "files": tuple(ExportedFile(**file) for file in told["files"]),
        }
    )
