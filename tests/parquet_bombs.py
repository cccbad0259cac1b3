"""Parquet files that claim, hide or refer to what no honest one does; each is small."""

from __future__ import annotations

import io
import struct
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from tests.hostile_files import parquet


def many_rows(rows: int = 300_000_000) -> bytes:
    """Seven hundred bytes of rows."""
    return parquet(
        pa.table({"order_id": pa.nulls(rows)}), row_group_size=rows, write_batch_size=rows, max_rows_per_page=rows
    )


def one_long_text(times: int = 6_000) -> bytes:
    """A text of a hundred kilobytes, written once and said so often."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array(["a" * 100_000]))
    return parquet(pa.table({"order_id": texts, "ordered_at": ["2024-01-01"] * times}), compression="zstd")


def long_texts(times: int = 3_000) -> bytes:
    """Many of them, each said once, in pages that are almost nothing when packed."""
    table = pa.table({"order_id": ["a" * 200_000 + str(n) for n in range(times)], "ordered_at": ["2024-01-01"] * times})
    return parquet(table, compression="zstd", compression_level=9, use_dictionary=False)


def many_row_groups(groups: int = 20_000) -> bytes:
    """One row in each."""
    return parquet(pa.table({"order_id": pa.array(range(groups))}), row_group_size=1)


def many_columns(columns: int) -> bytes:
    """One row of them."""
    return parquet(pa.table({f"c{number}": [1] for number in range(columns)}))


def deep(levels: int = 1_000) -> bytes:
    """A list of lists of lists."""
    kind, value = pa.int32(), "1"
    for _ in range(levels):
        kind, value = pa.list_(kind), f"[{value}]"
    array: Any = pa.array([1], pa.int32())
    for _ in range(levels):
        array = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), array)
    return parquet(pa.table({"order_id": array}))


def elsewhere(path: str) -> bytes:
    """Its columns are said to lie in another file."""
    content = parquet()
    metadata = pq.read_metadata(io.BytesIO(content))
    metadata.set_file_path(path)
    out = io.BytesIO()
    metadata.write_metadata_file(out)
    return content[: -8 - _footer_size(content)] + out.getvalue()[4:]


def unknown_codec() -> bytes:
    """Packed by a codec of a number that nobody has."""
    content = parquet(pa.table({"order_id": ["a"]}), compression="zstd")
    footer = len(content) - 8 - _footer_size(content)
    # In a column's metadata: the name of its path, then the codec, a small number (6: zstd, twice that as written).
    at = content.index(b"\x08order_id\x15\x0c", footer) + 10
    return content[:at] + b"\x7e" + content[at + 1 :]


def encrypted(*, plain_footer: bool) -> bytes:
    """Encrypted for somebody else."""

    class Kms(pe.KmsClient):  # type: ignore[misc]
        def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
            return b"wrapped" + key_bytes

        def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
            return wrapped_key[7:]

    config = pe.EncryptionConfiguration(
        footer_key="footer", column_keys={"column": ["order_id"]}, plaintext_footer=plain_footer
    )
    properties = pe.CryptoFactory(lambda _: Kms()).file_encryption_properties(pe.KmsConnectionConfig(), config)
    return parquet(encryption_properties=properties)


def footer_of_two_gigabytes() -> bytes:
    """Says that its footer is as long as that."""
    content = parquet()
    return content[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1"


def _footer_size(content: bytes) -> int:
    size: int = struct.unpack("<I", content[-8:-4])[0]
    return size
