"""In which format rows go out: the one the caller asked for, and the reply with its ETag; 304 when unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from fastapi import Request
from starlette.responses import Response

from shared.answers.encode import MEDIA_TYPES, Format, csv_body
from shared.answers.etags import matches
from shared.api.replies import REVALIDATED

MEDIA: dict[str, Format] = {media.split(";")[0]: name for name, media in MEDIA_TYPES.items()}
"""Formats by media type, as Accept names them."""


def wanted(request: Request, format: Format | None, among: Collection[Format] = tuple(MEDIA_TYPES)) -> Format:
    """By ``?format=`` first, then the first of ours in Accept; JSON when there is none."""
    if format is not None:
        return format
    accepted = (part.split(";")[0].strip().lower() for part in request.headers.get("accept", "").split(","))
    return next((MEDIA[media] for media in accepted if MEDIA.get(media) in among), "json")


def file_reply(
    request: Request,
    content: bytes,
    format: Format,
    *,
    snapshot: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A body in one of our formats, with an ETag over its bytes."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    told = {"ETag": etag, "Cache-Control": REVALIDATED, "Vary": "Accept", **(headers or {})}
    if snapshot is not None:
        told["Teal-Snapshot"] = str(snapshot)
    if matches(request.headers.get("if-none-match", ""), etag):
        return Response(None, 304, told)
    return Response(content, 200, told, MEDIA_TYPES[format])


def csv_reply(
    request: Request,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    snapshot: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A header, then rows (RFC 4180); text that a spreadsheet would run gets a ' in front."""
    content = csv_body(columns, ([row[name] for name in columns] for row in rows))
    return file_reply(request, content, "csv", snapshot=snapshot, headers=headers)
