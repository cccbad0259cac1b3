"""Messages between a process and its cell: what was sent is received, and what is no message is not."""

from __future__ import annotations

import io
import struct

import pytest

from shared.cells.wire import MAX_HEAD, BrokenWireError, packed, received


def test_a_message_is_received_as_it_was_sent():
    wire = io.BytesIO(packed({"ü": [1, None]}, b"\0\xff") + packed({}))
    assert received(wire.read, 10) == ({"ü": [1, None]}, b"\0\xff")
    assert received(wire.read, 10) == ({}, b"")
    with pytest.raises(BrokenWireError):
        received(wire.read, 10)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\0\0",
        packed({"x": 1})[:-1],
        packed({}, b"12345678901"),
        struct.pack(">II", MAX_HEAD + 1, 0) + b"{}",
        struct.pack(">II", 3, 0) + b"{1}",
        struct.pack(">II", 2, 0) + b"[]",
        struct.pack(">II", 100_000, 0) + b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(broken):
    with pytest.raises(BrokenWireError):
        received(io.BytesIO(broken).read, 10)
