"""Zip archives: what one is, and the bytes of its members, never more of them than an honest archive holds."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from shared.errors import EmptyFileError, UnreadableFileError, UploadTooLargeError
from shared.formats.streams import CHUNK_BYTES, EXPANSION_FLOOR_BYTES, MAX_EXPANSION
from shared.formats.table import counted

MAX_MEMBERS = 10_000
_FOREIGN = (
    ("xl/workbook.bin", "an Excel binary workbook (.xlsb); save it as .xlsx"),
    ("word/", "a Word document, not a table"),
    ("ppt/", "a PowerPoint document, not a table"),
    ("mimetype", "an OpenDocument file; save it as .xlsx or CSV"),
)
_LOCAL_HEADER = struct.Struct("<4s22xHH")


def members_of(path: Path) -> list[zipfile.ZipInfo]:
    """The files in an archive. Raises EmptyFileError, UnreadableFileError (damaged, encrypted, a foreign document)."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, RuntimeError, UnicodeDecodeError, struct.error, ValueError) as error:
        raise UnreadableFileError("The zip archive or workbook is damaged or cut off.") from error
    if not members:
        raise EmptyFileError("The zip archive holds no file.")
    if len(members) > MAX_MEMBERS:
        raise UnreadableFileError(f"The zip archive holds {len(members):,} files; send one table a file.")
    if any(member.flag_bits & 1 for member in members):
        raise UnreadableFileError("The zip archive is encrypted.")
    if any(_leads_elsewhere(member) for member in members):
        raise UnreadableFileError("The zip archive has a link or a name that leads out of it.")
    for start, what in _FOREIGN:
        if any(member.filename.startswith(start) for member in members):
            raise UnreadableFileError(f"This is {what}.")
    return members


def _leads_elsewhere(member: zipfile.ZipInfo) -> bool:
    """No name of a member is ever used; who packs such ones means harm."""
    parts = member.filename.replace("\\", "/").split("/")
    return ".." in parts or not parts[0] or parts[0].endswith(":") or stat.S_ISLNK(member.external_attr >> 16)


def kind_of(members: list[zipfile.ZipInfo]) -> Literal["workbook", "archive"]:
    """A workbook is a zip archive too."""
    return "workbook" if any(member.filename.lower().startswith("xl/") for member in members) else "archive"


def unpack_only_member(path: Path, members: list[zipfile.ZipInfo], target: Path) -> None:
    """Unpack the one file of an archive. Raises UnreadableFileError, UploadTooLargeError."""
    tables = [member for member in members if not member.filename.startswith("__MACOSX/")]
    if len(tables) != 1:
        raise UnreadableFileError(f"The zip archive holds {counted(len(tables), 'file')}; send one table a file.")
    with target.open("wb") as out:
        for chunk in member_chunks(path, tables[0]):
            out.write(chunk)


def member_chunks(path: Path, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member's bytes, however many the archive says there are.

    Raises UnreadableFileError (damaged, another compression) and UploadTooLargeError for a decompression bomb.
    """
    limit = max(EXPANSION_FLOOR_BYTES, path.stat().st_size * MAX_EXPANSION)
    total = checksum = 0
    try:
        for chunk in _inflated(path, member):
            total += len(chunk)
            if total > limit:
                raise UploadTooLargeError(f"The file grows more than {MAX_EXPANSION} times when unpacked.")
            checksum = zlib.crc32(chunk, checksum)
            yield chunk
    except (zlib.error, struct.error, EOFError) as error:
        raise UnreadableFileError("The zip archive or workbook is damaged or cut off.") from error
    if checksum != member.CRC:
        raise UnreadableFileError("The zip archive or workbook is damaged: a checksum is wrong.")


def _inflated(path: Path, member: zipfile.ZipInfo) -> Iterator[bytes]:
    # zipfile stops at the size an archive claims; other readers, calamine among them, read what is really there.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableFileError("The zip archive uses a compression that is not read here.")
    with path.open("rb") as file:
        file.seek(max(0, member.header_offset))  # a damaged directory makes it negative
        signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        if signature != b"PK\x03\x04":
            raise EOFError
        file.seek(name_bytes + extra_bytes, 1)
        left = member.compress_size
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        while left:
            stored = file.read(min(left, CHUNK_BYTES))
            if not stored:
                raise EOFError
            left -= len(stored)
            if member.compress_type == zipfile.ZIP_STORED:
                yield stored
                continue
            while stored:
                yield inflater.decompress(stored, CHUNK_BYTES)
                stored = inflater.unconsumed_tail
        if member.compress_type == zipfile.ZIP_DEFLATED:
            yield inflater.flush()
            if not inflater.eof:
                raise EOFError
