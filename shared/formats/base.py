"""Any honest table file becomes a table of text in DuckDB; which format it is says its bytes, not its name."""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import ZipInfo

from shared.duck import Duck
from shared.errors import EmptyFileError, UnreadableFileError
from shared.formats.archives import kind_of, members_of, unpack_only_member
from shared.formats.delimited import open_delimited
from shared.formats.documents import open_json
from shared.formats.parquet import open_parquet
from shared.formats.sheets import open_sheet
from shared.formats.streams import chunks, compression_of, head_of, is_binary, readable, refuse_foreign, text_of
from shared.formats.table import ReadOptions, TextTable

_MARKUP = re.compile(r"<(?:!doctype|!--|html|head|body|table|\?xml|svg|rss|[a-z]\w*:\w+[\s>])", re.IGNORECASE)
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"


def open_table(
    duck: Duck, path: Path, name: str, *, options: ReadOptions, work_dir: Path, filename: str, checked: bool = True
) -> TextTable:
    """Make the temporary view ``name``: every column as VARCHAR, empty cells NULL, rows in the file's order.

    Columns ``_problem``, ``_line`` and ``_original`` are there when a row could not be split into cells. Not
    ``checked``, a simple file is not read through: its rows are not counted, some may be blank, and reading the view
    raises UnreadableInputError at one that does not split. The view reads ``path`` or a file in ``work_dir``: both must
    stay while it is used. ``filename`` is what the sender called the file; nothing depends on it.

    Raises EmptyFileError, UnreadableFileError, UploadTooLargeError.
    """
    if not path.stat().st_size:
        raise EmptyFileError("The file is empty.")
    path = _plainly_named(path, work_dir, name)
    with readable():
        compression = compression_of(path)
        head = head_of(path, compression, 512)
        refuse_foreign(head)
        if head.startswith(b"PAR1") and is_binary(head):
            return open_parquet(duck, _unpacked(path, compression, work_dir, name), name, compression=compression)
        if head.startswith((_ZIP, _EMPTY_ZIP)):
            archive = _unpacked(path, compression, work_dir, name)
            members = members_of(archive)
            if kind_of(members) == "workbook":
                return open_sheet(duck, archive, name, members, options=options, work_dir=work_dir)
            member = _only_member(archive, members, work_dir / f"{name}.member")
            return open_table(duck, member, name, options=options, work_dir=work_dir, filename=filename)
        text = text_of(path, compression, options.encoding)
        with text.open() as stream:
            start = stream.read(4_096).lstrip("\ufeff \t\r\n")
        if _MARKUP.match(start):
            raise UnreadableFileError("This is an HTML or XML document, not a table. Was it a login or error page?")
        if start[:1] in ("{", "[") and options.delimiter is None:
            return open_json(duck, text, name, work_dir=work_dir)
        return open_delimited(duck, text, name, options=options, work_dir=work_dir, checked=checked)


def _only_member(archive: Path, members: list[ZipInfo], target: Path) -> Path:
    unpack_only_member(archive, members, target)
    # A workbook may lie in an archive, but no archive in an archive: each could unfold into ever more.
    if head_of(target, "", 4) == _ZIP and kind_of(members_of(target)) == "archive":
        raise UnreadableFileError("The zip archive holds another archive; send the table itself.")
    return target


def _plainly_named(path: Path, work_dir: Path, name: str) -> Path:
    """DuckDB takes ``*``, ``?`` and ``[`` in a path for a pattern; a link's name has none of them."""
    if not re.search(r"[*?\[]", str(path)):
        return path
    link = work_dir / f"{name}.input"
    link.unlink(missing_ok=True)
    link.symlink_to(path.resolve())
    return link


def _unpacked(path: Path, compression: str, work_dir: Path, name: str) -> Path:
    """Parquet and workbooks are read from their end, so they must lie decompressed."""
    if not compression:
        return path
    target = work_dir / f"{name}.unpacked"
    with target.open("wb") as out:
        for chunk in chunks(path, compression):
            out.write(chunk)
    return target
