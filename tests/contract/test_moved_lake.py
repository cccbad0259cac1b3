"""A lake's folder is all of it: copied elsewhere, Teal reads it, and a plain DuckDB does as the documentation says."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import duckdb

from shared.duck import extension_path, literal
from tests.shop import shop_in

HOW_TO = Path(__file__).parent.parent.parent / "docs/how-to/laptop.md"
ROWS = "".join(f"{number},2024-01-01,{number}\n" for number in range(500))


def test_a_copied_lake_is_complete(tmp_path, monkeypatch):
    shop_in(tmp_path / "first").upload("orders", "a.csv", f"order_id,ordered_at,total\n{ROWS}")
    (tmp_path / "moved").mkdir()
    shutil.move(tmp_path / "first", tmp_path / "moved/teal-data")

    monkeypatch.chdir(tmp_path / "moved")
    (sql,) = re.findall(r"```sql\n(ATTACH .*?)```", HOW_TO.read_text(), re.DOTALL)
    with duckdb.connect() as plain:
        plain.execute(f"LOAD {literal(os.fspath(extension_path('ducklake')))}")
        attach, ask = (part for part in sql.split(";\n") if part)
        plain.execute(attach)
        assert len(plain.execute(ask).fetchall()) == 500

    moved = shop_in(tmp_path / "moved/teal-data")
    assert moved.upload("orders", "b.csv", "order_id,ordered_at,total\n500,2024-01-02,500\n").status == "loaded"
    assert moved.rows("SELECT count(*), sum(total)::INTEGER FROM orders") == [(501, sum(range(501)))]
