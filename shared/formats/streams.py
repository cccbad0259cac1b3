"""Bytes to text: compression by magic bytes, encoding by looking at every byte; nothing here knows what a row is."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from backports import zstd

from shared.errors import EmptyFileError, UnreadableFileError, UploadTooLargeError
from shared.formats.table import counted

CHUNK_BYTES = 1 << 20
MAX_EXPANSION = 200
"""Honest tables shrink 5 to 50 times; gzip can reach 1,000 only on a bomb."""
EXPANSION_FLOOR_BYTES = 256 << 20

_REFUSED = (
    (b"\xfd7zXZ", "an xz file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel (.xls), a password-protected or another Office file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF89a", "an image"),
    (b"GIF87a", "an image"),
    (b"ARROW1\0\0", "an Arrow file"),
    (b"Obj\x01", "an Avro file"),
    (b"\xff\xfe\0\0", "UTF-32 text"),
    (b"\0\0\xfe\xff", "UTF-32 text"),
)
_REFUSED_IF_BINARY = ((b"ORC", "an ORC file"), (b"PARE", "an encrypted Parquet file"), (b"BZh", "a bzip2 file"))
"""These are also the first letters of honest headers."""
_TAR = (257, b"ustar")
_CONTROLS = bytes([*range(0, 7), *range(14, 27), 28, 29, 30])
_ESCAPED_RUN = re.compile("[\udc80-\udcff]{3,}")
_NOT_IN_WINDOWS_1252 = re.compile("[\udc81\udc8d\udc8f\udc90\udc9d]")
_UNDEFINED = b"\x81\x8d\x8f\x90\x9d"
_FALLBACK = "windows-1252-for-invalid-bytes"


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    octets = error.object[error.start : error.end]
    # Five bytes mean nothing in windows-1252; browsers read them as latin-1, so nothing is lost.
    return octets.decode("latin-1" if octets.strip(_UNDEFINED) != octets else "cp1252"), error.end


codecs.register_error(_FALLBACK, _windows_1252)


@dataclass(frozen=True)
class Text:
    """How a file's bytes become text, and what all of them hold.

    ``errors`` is the codec's error handler. ``utf8`` says that DuckDB can read the bytes as they are. Line ends are
    counted, and the absence of double quotes is known, for such files only.
    """

    path: Path
    compression: str
    encoding: str
    codec: str
    errors: str
    utf8: bool
    line_feeds: int = 0
    carriage_returns: int = 0
    pairs: int = 0
    nul_bytes: int = 0
    quotes: bool = True
    notes: tuple[str, ...] = ()

    @contextmanager
    def open(self) -> Iterator[TextIO]:
        """The text, line ends untouched. Raises UnreadableFileError for broken compression or encoding."""
        with open_bytes(self.path, self.compression) as raw, readable():
            yield io.TextIOWrapper(raw, encoding=self.codec, errors=self.errors, newline="")


@contextmanager
def readable() -> Iterator[None]:
    """Errors of decompression and decoding, said so that a person understands."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"The file is not {error.encoding} text: {error.reason}.") from error
    except UnicodeError as error:
        raise UnreadableFileError("The file is not text in the encoding that was named.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
        raise UnreadableFileError(f"The compressed file is damaged or cut off: {error}.") from error


def compression_of(path: Path) -> str:
    """ "gz", "zst" or "" by magic bytes. Raises EmptyFileError."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise EmptyFileError("The file has no bytes.")
    if head.startswith(b"\x1f\x8b"):
        return "gz"
    return "zst" if head.startswith(b"\x28\xb5\x2f\xfd") else ""


def refuse_foreign(head: bytes) -> None:
    """Raises UnreadableFileError when decompressed bytes begin as something that is known and is no table."""
    found = [what for magic, what in _REFUSED if head.startswith(magic)]
    if is_binary(head):
        found += [what for magic, what in _REFUSED_IF_BINARY if head.startswith(magic)]
    if head[_TAR[0] :].startswith(_TAR[1]):
        found.append("a tar archive")
    if head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        found.append("a file that is compressed twice")
    if found:
        raise UnreadableFileError(
            f"This is {found[0]}, which is not read here. Send CSV, JSON, Parquet or .xlsx, plain, gzip, zstd or zip."
        )


def is_binary(head: bytes) -> bool:
    """Whether control bytes that no text has are among the first 64."""
    return any(byte in _CONTROLS for byte in head[:64])


def open_bytes(path: Path, compression: str) -> BinaryIO:
    """The decompressed bytes as a stream."""
    if compression == "gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    if compression == "zst":
        return cast("BinaryIO", zstd.open(path, "rb"))
    return path.open("rb")


def chunks(path: Path, compression: str) -> Iterator[bytes]:
    """The decompressed bytes, 1 MiB at a time. Raises UploadTooLargeError for a decompression bomb."""
    stored, total = path.stat().st_size, 0
    with readable(), open_bytes(path, compression) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            total += len(chunk)
            if compression and total > EXPANSION_FLOOR_BYTES and total > stored * MAX_EXPANSION:
                raise UploadTooLargeError(f"The file grows more than {MAX_EXPANSION} times when decompressed.")
            yield chunk


def head_of(path: Path, compression: str, size: int) -> bytes:
    """The first ``size`` decompressed bytes, or fewer if the file is shorter."""
    with readable(), open_bytes(path, compression) as stream:
        return stream.read(size)


def text_of(path: Path, compression: str, encoding: str | None) -> Text:
    """Find out the encoding from all bytes: UTF-8, UTF-16, else windows-1252 when the bytes make sense in it.

    Raises UnreadableFileError for binary files, for an unknown or wrong ``encoding``, and for text in another 8-bit
    encoding, which no program can tell from gibberish: the sender must name it.
    """
    head = head_of(path, compression, 1 << 16)
    if not head:
        raise EmptyFileError("The file has no bytes.")
    if compression and (encoding or _utf16(head)):
        for _ in chunks(path, compression):
            pass  # damage and bombs are found before anything is read from it
    if encoding:
        return _text_as_told(path, compression, encoding, head)
    if wide := _utf16(head):
        note = f"Read as {wide.upper()}."
        return Text(
            path,
            compression,
            wide,
            "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else wide,
            "strict",
            utf8=False,
            notes=(note,),
        )
    controls = bytes(byte for byte in head if byte in _CONTROLS)
    # A few kinds of control bytes may be delimiters or damage; many kinds are numbers of a binary format.
    if len(controls) > 4 and (len(controls) > len(head) / 10 or len(set(controls)) > 5):
        raise UnreadableFileError("This is not a text file, and not a Parquet or .xlsx file either.")
    return _text_by_bytes(path, compression)


def _text_as_told(path: Path, compression: str, encoding: str, head: bytes) -> Text:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise UnreadableFileError(f"There is no encoding called {encoding!r}.") from error
    if name in ("utf-8", "utf-8-sig"):
        found = _text_by_bytes(path, compression)
        if not found.utf8:
            raise UnreadableFileError(f"The file is not {encoding} text.")
        return found
    if name in ("utf-16-le", "utf-16-be") and head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        name = "utf-16"
    return Text(path, compression, encoding, name, "strict", utf8=False)


def _utf16(head: bytes) -> str:
    if head.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if head.startswith(b"\xfe\xff"):
        return "utf-16-be"
    # Without a mark: delimiters, digits and line ends have a zero in one half of each pair, never in the other; and
    # one of them ends a line, or most are like that. Single NULs in other text are neither.
    pairs = len(head) // 2
    even, odd = head[0 : 2 * pairs : 2], head[1 : 2 * pairs : 2]
    for encoding, high, low in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        zeros = high.count(0)
        if pairs > 1 and zeros > pairs / 20 and not low.count(0):
            ends_line = any(not h and c in b"\r\n" for h, c in zip(high, low, strict=True))
            if ends_line or zeros > pairs / 2:
                return encoding
    return ""


def _text_by_bytes(path: Path, compression: str) -> Text:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    feeds = returns = pairs = nuls = valid = invalid = in_runs = impossible = 0
    pending, last, first, quotes = False, b"", b"", False
    for chunk in chunks(path, compression):
        first = first or chunk[:3]
        feeds += chunk.count(b"\n")
        nuls += chunk.count(b"\0")
        quotes = quotes or b'"' in chunk
        if (found := chunk.count(b"\r")) or last == b"\r":
            returns += found
            pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
        last = chunk[-1:]
        if pending or not chunk.isascii():
            decoded = decoder.decode(chunk)
            pending = bool(decoder.getstate()[0])
            plain = decoded.encode("utf-8", "ignore")
            valid += len(plain) - len(decoded.encode("ascii", "ignore"))
            escaped = len(decoded.encode("utf-8", "surrogateescape")) - len(plain)
            invalid += escaped
            if escaped:
                in_runs += sum(map(len, _ESCAPED_RUN.findall(decoded)))
                impossible += len(_NOT_IN_WINDOWS_1252.findall(decoded))
    invalid += len(decoder.decode(b"", final=True)) if pending else 0
    text = Text(
        path,
        compression,
        "utf-8-sig" if first == codecs.BOM_UTF8 else "utf-8",
        "utf-8-sig",
        "strict",
        utf8=not invalid,
        line_feeds=feeds,
        carriage_returns=returns,
        pairs=pairs,
        nul_bytes=nuls,
        quotes=quotes,
    )
    if not invalid:
        return text
    if impossible or (in_runs > invalid / 2 and invalid >= 8):
        raise UnreadableFileError(
            "The text is neither UTF-8 nor UTF-16 nor windows-1252. Save it as UTF-8, or name its encoding."
        )
    # Bytes that are letters in UTF-8 outnumber the others: UTF-8 with some damage, not windows-1252 throughout.
    if valid > 2 * invalid:
        note = f"{counted(invalid, 'byte')} that are not UTF-8 were read as windows-1252."
        return replace(text, encoding="utf-8", errors=_FALLBACK, notes=(note,))
    note = "Read as windows-1252, since it is not UTF-8."
    return replace(text, encoding="windows-1252", codec="cp1252", errors=_FALLBACK, notes=(note,))
