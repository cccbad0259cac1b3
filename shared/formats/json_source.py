"""JSON text, read a value at a time: bounded memory, numbers as they were written, and the line where it breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

from shared.errors import UnreadableFileError

MAX_VALUE_CHARACTERS = 8 << 20
"""One row, as text; read into Python it takes several times that."""
MAX_DEPTH = 100
"""DuckDB's JSON functions crash on deep nesting; no honest document comes near."""


class RepeatedNameError(ValueError):
    """An object that says two things of one name; which one counts would be a guess."""


class Number(str):
    """A number as it was written: 1.10 stays 1.10, and no digit of a long one is lost."""


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise RepeatedNameError(f"the name {twice[:60]} comes twice in one object")
    return found


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=_object)
_SHAPE_ONLY = json.JSONDecoder()


def text_of_value(value: Any, depth: int = 1) -> str:
    """JSON text of a decoded value, numbers unchanged. Raises UnreadableFileError when nested deeper than MAX_DEPTH."""
    if depth > MAX_DEPTH:
        raise UnreadableFileError(f"A value is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, dict):
        members = (f"{json.dumps(k, ensure_ascii=False)}:{text_of_value(v, depth + 1)}" for k, v in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(text_of_value(item, depth + 1) for item in value) + "]"
    return str(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


def decoded(text: str, decoder: json.JSONDecoder = _DECODER) -> Any:
    """The value that is the whole of this text. Raises ValueError, or UnreadableFileError when nested too deeply."""
    try:
        return decoder.decode(text)
    except RecursionError as error:
        raise UnreadableFileError(f"A value is nested more than {MAX_DEPTH} levels deep.") from error


class JsonSource:
    """A position in a stream of JSON text."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._text = ""
        self._at = 0
        self._counted = 0
        self._line = 1
        self._ended = False

    @property
    def line(self) -> int:
        """The line of the position, 1-based."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _fill(self, size: int = 1 << 20) -> bool:
        """Read more; what lies before the position is forgotten. False at the end."""
        if self._ended:
            return False
        _ = self.line
        more = self._stream.read(size)
        self._text = self._text[self._at :] + more
        self._at = self._counted = 0
        self._ended = not more
        return bool(more)

    def peek(self) -> str:
        """The next character that is not blank, which the position then points at; "" at the end."""
        while True:
            while self._at < len(self._text):
                if (character := self._text[self._at]) not in " \t\r\n":
                    return character
                self._at += 1
            if not self._fill():
                return ""

    def take(self, expected: str) -> None:
        """Step over that character. Raises UnreadableFileError when another one is there."""
        if (found := self.peek()) != expected:
            self.fail(f"{expected} is missing" if found else "the document is cut off")
        self._at += 1

    def fail(self, why: str) -> NoReturn:
        """Raise UnreadableFileError with the line of the position."""
        raise UnreadableFileError(f"Line {self.line}: this is not JSON: {why}.", line=self.line)

    def value(self) -> Any:
        """The value at the position, which moves behind it."""
        self.peek()
        size = 1 << 20
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise UnreadableFileError(
                    f"Line {self.line}: a value is nested more than {MAX_DEPTH} levels deep.", line=self.line
                ) from error
            except RepeatedNameError as error:
                raise UnreadableFileError(f"Line {self.line}: {error}.", line=self.line) from error
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > MAX_VALUE_CHARACTERS:
                    self.fail(f"{error.msg}, or a value of more than {MAX_VALUE_CHARACTERS:,} characters")
                if not self._fill(size):
                    self._at = min(max(error.pos, self._at), len(self._text))
                    self.fail(error.msg if self._at < len(self._text) else "the document is cut off")
                size *= 2
                continue
            if end == len(self._text) and self._fill():
                continue  # a number may go on behind what was read so far
            self._at = end
            return value

    def array(self) -> Iterator[tuple[int, Any]]:
        """Line and value of each item of the array at the position."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            self.peek()
            line = self.line
            yield line, self.value()
            if self.peek() == "]":
                self.take("]")
                return
            self.take(",")

    def starts_objects(self) -> bool:
        """Whether an array at the position has an object as its first item. The position stays on the array."""
        ahead = self._at + 1
        while True:
            while ahead < len(self._text):
                if self._text[ahead] not in " \t\r\n":
                    return self._text[ahead] == "{"
                ahead += 1
            ahead -= self._at
            if not self._fill():
                return False

    def is_one_document_a_line(self) -> bool:
        """Whether one of the first two lines is an object of its own and another line follows or precedes it."""
        self.peek()
        while self._text.count("\n", self._at) < 2 and len(self._text) - self._at < MAX_VALUE_CHARACTERS:
            if not self._fill():
                break
        while not self._text[self._at :].partition("\n")[2].strip():
            if not self._fill():
                return False  # a single line
        first, second = (self._text[self._at :] + "\n\n").split("\n", 2)[:2]
        return any(_is_object(line) for line in (first, second)) and not _is_object(first + "\n" + second)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Line number and text of every line from the position on that is not blank."""
        while True:
            end = self._text.find("\n", self._at)
            if end < 0:
                if len(self._text) - self._at > MAX_VALUE_CHARACTERS:
                    self.fail(f"a line of more than {MAX_VALUE_CHARACTERS:,} characters")
                if self._fill():
                    continue
                end = len(self._text)
            text = self._text[self._at : end].strip()
            if text:
                yield self.line, text
            if end >= len(self._text):
                return
            self._at = end + 1


def _is_object(text: str) -> bool:
    try:
        return isinstance(decoded(text.strip(), _SHAPE_ONLY), dict)
    except ValueError:
        return False
