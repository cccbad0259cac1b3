"""Files for tests of the reading: honest ones in every format that is read, damaged ones, and parts of bombs."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from functools import cache
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from backports import zstd

ROWS = [
    {
        "order_id": f"o{number}",
        "ordered_at": f"2024-0{1 + number % 9}-1{number % 10}T0{number % 10}:30:00",
        "customer_id": f"c{number % 7}",
        "status": ("paid", "open", "cancelled")[number % 3],
        "total": f"{number}.{number % 10}5",
    }
    for number in range(40)
]


def delimited(delimiter: str = ",", line_end: str = "\n", encoding: str = "utf-8") -> bytes:
    """The orders as text."""
    lines = [delimiter.join(ROWS[0]), *(delimiter.join(row.values()) for row in ROWS)]
    return (line_end.join(lines) + line_end).encode(encoding)


def parquet(table: Any = None, **options: Any) -> bytes:
    """The orders, or another table, as Parquet."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS) if table is None else table, out, **options)
    return out.getvalue()


def workbook() -> bytes:
    """The orders as a sheet."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append(list(ROWS[0]))
    for row in ROWS:
        book.active.append(list(row.values()))
    book.save(out)
    return out.getvalue()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


@cache
def honest_files() -> dict[str, bytes]:
    """The same orders in every format that is read, by a name of it."""
    quoted = "\r\n".join(",".join(f'"{cell}"' for cell in cells) for cells in [ROWS[0], *(r.values() for r in ROWS)])
    typed = pa.table(
        {
            "order_id": [row["order_id"] for row in ROWS],
            "ordered_at": pa.array([number * 10**15 for number in range(40)], pa.timestamp("ns")),
            "total": pa.array([float(row["total"]) for row in ROWS]),
            "tags": [[{"a": number}] * (number % 3) for number in range(40)],
        }
    )
    plain = {
        "csv": delimited(),
        "csv quoted": quoted.encode(),
        "csv semicolons": delimited(";"),
        "csv utf-16": delimited(encoding="utf-16"),
        "tsv": delimited("\t", "\r\n"),
        "ndjson": "\n".join(map(json.dumps, ROWS)).encode(),
        "json": json.dumps(ROWS, indent=1).encode(),
        "json inside": json.dumps({"orders": ROWS, "page": 1}).encode(),
        "xlsx": workbook(),
        "parquet pages": parquet(row_group_size=7, data_page_size=64, use_dictionary=False, write_page_checksum=True),
        "parquet typed": parquet(typed),
    }
    plain |= {f"parquet {codec}": parquet(compression=codec) for codec in ("none", "snappy", "gzip", "zstd", "lz4")}
    packed = {f"{name} gz": gzip.compress(plain[name]) for name in ("csv", "ndjson", "parquet snappy", "xlsx")}
    packed |= {f"{name} zst": zstd.compress(plain[name]) for name in ("csv", "json", "parquet none")}
    packed |= {f"{name} zip": zipped({"a": plain[name]}) for name in ("csv", "tsv", "parquet zstd", "xlsx")}
    return plain | packed


def damaged(seed: int) -> tuple[str, bytes]:
    """One of these files with bytes flipped, lost, added, said twice, or with a piece of another file; and its name."""
    generator = random.Random(seed)
    files = honest_files()
    name = generator.choice(sorted(files))
    content = bytearray(files[name])
    for _ in range(generator.choice((1, 1, 1, 1, 2, 8))):
        at, size = generator.randrange(len(content) + 1), generator.choice((1, 2, 8, 200))
        match generator.randrange(9):
            case 0 | 1 | 8:
                at = min(at, len(content) - 1)
                content[at] ^= 1 << generator.randrange(8)
            case 2:
                content[at : at + size] = generator.randbytes(len(content[at : at + size]))
            case 3:
                content = content[:at]
            case 4:
                content[at:at] = generator.choice((generator.randbytes(size), b"\0" * size, b'"', b"\n", b"[" * size))
            case 5:
                del content[at : at + size]
            case 6:
                content[at:at] = content[generator.randrange(len(content) + 1) :][:size]
            case 7:
                other = bytearray(files[generator.choice(sorted(files))])
                content = other[:size] + content[size:] if generator.random() < 0.5 else content[:-size] + other[-size:]
        content = content or bytearray(b"\n")
    return name, bytes(content)
