"""What a reading cell may open, and what its owner believes of what it says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.cells.lock import lock
from shared.duck import Duck, open_duck
from shared.errors import AppError, EngineUnavailableError, UnreadableFileError
from shared.reading.base import ReadLimits, ReceivedFile
from shared.reading.cells import CellReader, _error_of
from shared.reading.parcel import WrongParcelError, show
from shared.reading.told import WrongAnswerError, answer, understood
from shared.steps.order import Order
from shared.steps.reading import Reading
from shared.values import InboxKey
from tests.hostile_files import ROWS, delimited
from tests.shop import TENANT

SMALL = ReadLimits(memory_mb=256, threads=1, temp_mb=64, file_mb=512, seconds=30.0)


@pytest.fixture
def locked(tmp_path) -> Iterator[Duck]:
    (tmp_path / "own").mkdir()
    (tmp_path / "upload").write_text("a\n1\n")
    (tmp_path / "other").write_text("a\n2\n")
    duck = open_duck(memory_limit_mb=128, threads=1, temp_directory=tmp_path / "own/spill", extensions=())
    lock(
        duck,
        home=tmp_path / "own",
        files=[f"{tmp_path}/upload"],
        folders=[f"{tmp_path}/own/"],
        own_folders=[f"{tmp_path}/own/spill/"],
        changeable=["TimeZone"],
    )
    yield duck
    duck.close()


def test_a_locked_session_opens_that_one_file_and_writes_into_that_one_folder(locked, tmp_path):
    assert locked.execute(f"FROM read_csv('{tmp_path}/upload')") == [(1,)]
    locked.execute(f"COPY (SELECT 1 AS x) TO '{tmp_path}/own/x.parquet' (FORMAT parquet)")
    locked.execute("SET TimeZone = 'Asia/Tokyo'")


@pytest.mark.parametrize(
    "statement",
    [
        "FROM read_csv('{folder}/other')",
        "FROM read_csv('{folder}/*')",
        "FROM read_text('/etc/passwd')",
        "FROM read_csv('{folder}/own/../other')",
        "FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '{folder}/upload2'",
        "COPY (SELECT 1) TO '{folder}/own/../x'",
        "ATTACH '{folder}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "FROM read_csv('http://127.0.0.1:9/x')",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/passwd']",
        "SET memory_limit = '64GB'",
        "SET temp_directory = '/tmp'",
        "SET lock_configuration = false",
    ],
)
def test_a_locked_session_opens_and_changes_nothing_else(locked, tmp_path, statement):
    with pytest.raises(AppError) as refused:
        locked.execute(statement.replace("{folder}", str(tmp_path)))
    assert type(refused.value.__cause__).__name__ in (
        "PermissionException", "InvalidInputException", "IOException", "BinderException", "CatalogException",
    )  # fmt: skip


def test_a_lock_that_does_not_hold_is_not_used(tmp_path):
    duck = open_duck(memory_limit_mb=128, threads=1, temp_directory=tmp_path / "elsewhere", extensions=())
    with pytest.raises(EngineUnavailableError, match="locked"):
        lock(duck, home=tmp_path, folders=[f"{tmp_path}/own/"])
    duck.close()


@pytest.fixture
def read(tmp_path) -> Iterator[tuple[Duck, ReceivedFile, Path, Any]]:
    """A file that was read: the session, the file, the cell's folder and what was told of it."""
    path = tmp_path / "upload"
    path.write_bytes(delimited())
    file = ReceivedFile(path, tmp_path, InboxKey(TENANT, "orders", "a.csv"), Order(), Reading(), {})
    duck, reader = open_duck(memory_limit_mb=128, threads=1, extensions=()), CellReader(SMALL)
    found = reader(duck, file)
    (folder,) = tmp_path.glob("read-*")
    yield duck, file, folder, json.loads(answer(found))
    reader.close()
    duck.close()


def test_what_a_cell_told_is_understood(read):
    duck, file, folder, told = read
    (staged,) = understood(json.dumps(told).encode(), file).staged
    assert show(duck, staged, folder).received == len(ROWS)


def _contract(told: Any, **changes: Any) -> None:
    contract = json.loads(told["staged"][0]["contract"])
    told["staged"][0]["contract"] = json.dumps(contract | changes)


@pytest.mark.parametrize(
    "lie",
    [
        lambda told: told.clear(),
        lambda told: told.update(more=1),
        lambda told: told.update(primary=1),
        lambda told: told.update(primary=-1),
        lambda told: told.update(source="../evil"),
        lambda told: told.update(notes=["x" * 5_000]),
        lambda told: told.update(notes=["x"] * 5_000),
        lambda told: told.update(staged=[]),
        lambda told: told.update(staged=told["staged"] * 2),
        lambda told: told.update(new_contracts=[told["staged"][0]["contract"].replace('"orders"', '"payroll"')]),
        lambda told: told["staged"][0].update(held=1),
        lambda told: told["staged"][0].update(is_clean=False, held=30, duplicate=30),
        lambda told: told["staged"][0].update(received=-1),
        lambda told: told["staged"][0].update(contract="{}"),
        lambda told: told["staged"][0].update(contract="[" * 50_000),
        lambda told: _contract(told, name="payroll"),
        lambda told: _contract(told, name="../x"),
        lambda told: _contract(told, key=["nothing"]),
        lambda told: told["staged"][0].update(statistics={"total": {"sum": "1"}}),
    ],
)
def test_an_answer_that_none_of_ours_gives_is_refused(read, lie):
    _, file, _, told = read
    lie(told)
    with pytest.raises(WrongAnswerError):
        understood(json.dumps(told).encode(), file)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff", b"{" * 100_000, b"[" * 100_000])
def test_bytes_that_are_no_answer_are_refused(read, body):
    with pytest.raises(WrongAnswerError):
        understood(body, read[1])


def _linked(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def _twice(path: Path) -> None:
    os.link(path, path.with_suffix(".second"))


def _of_another_kind(path: Path) -> None:
    duck = open_duck(memory_limit_mb=128, threads=1, extensions=())
    duck.execute(f"COPY (SELECT 1 AS order_id FROM range({len(ROWS)})) TO '{path}' (FORMAT parquet)")
    duck.close()


def _shorter(path: Path) -> None:
    duck = open_duck(memory_limit_mb=128, threads=1, extensions=())
    duck.execute(f"COPY (FROM read_parquet('{path}') LIMIT 3) TO '{path}.less' (FORMAT parquet)")
    duck.close()
    Path(f"{path}.less").rename(path)


@pytest.mark.parametrize("harm", [_linked, _twice, _of_another_kind, _shorter, Path.unlink, lambda p: p.write_text("")])
def test_a_file_that_is_not_what_was_told_is_not_taken(read, harm):
    duck, file, folder, told = read
    (staged,) = understood(json.dumps(told).encode(), file).staged
    harm(folder / "orders.read")
    with pytest.raises(WrongParcelError):
        show(duck, staged, folder)


def test_an_error_that_no_cell_tells_is_not_raised_as_one_of_ours():
    assert type(_error_of({"error": "again"})) is EngineUnavailableError
    assert type(_error_of({"error": "unreadable", "message": "x", "details": {"line": "1", "y": 2}})).__name__ == (
        "UnreadableFileError"
    )
    for code in ("store_unavailable", "unauthenticated", "broken", "internal"):
        assert not isinstance(_error_of({"error": code, "message": "x"}), EngineUnavailableError | UnreadableFileError)
