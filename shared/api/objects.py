"""Signed URLs of a folder store, for what a cloud's bucket does by itself; the signature is the only credential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from shared.answers.encode import EXTENSIONS, MEDIA_TYPES
from shared.api.auth import GuardedRoute
from shared.api.bodies import take_body
from shared.errors import EmptyFileError, InputError, UnsupportedMediaTypeError
from shared.storage.base import ObjectInfo, ObjectStore
from shared.storage.signing import SignedRequest, verify_signed

_MEDIA = {extension: MEDIA_TYPES[format] for format, extension in EXTENSIONS.items()}


class WrongSizeError(InputError):
    """The bytes that came are not as many as the URL was signed for."""

    code = "wrong_size"


@dataclass(frozen=True)
class LocalObjects:
    """A folder store whose signed URLs this app answers; ``arrived`` is told of every object that was put."""

    store: ObjectStore
    signing_secret: bytes
    max_bytes: int
    arrived: Callable[[ObjectInfo], None]


def object_router(objects: LocalObjects) -> APIRouter:
    """The routes that signed URLs of a folder store lead to; not part of the documented API."""
    router = APIRouter(prefix="/v1/objects", include_in_schema=False, route_class=GuardedRoute)

    @router.put("/{key:path}")
    async def put_object(request: Request, key: str) -> Response:
        allowed = _allowed(objects, request, "PUT", key)
        media = request.headers.get("content-type", "")
        if allowed.content_type and media != allowed.content_type:
            raise UnsupportedMediaTypeError(f"The URL was signed for {allowed.content_type}.")
        with NamedTemporaryFile(prefix="teal-put-") as file:
            most = objects.max_bytes if allowed.size_bytes is None else allowed.size_bytes
            size = await take_body(request, file.write, most)
            if size == 0:
                raise EmptyFileError("The file has no bytes.")
            if allowed.size_bytes is not None and size != allowed.size_bytes:
                raise WrongSizeError(f"The URL was signed for {allowed.size_bytes:,} bytes; {size:,} came.")
            file.flush()
            info = await run_in_threadpool(_stored, objects, key, Path(file.name), media)
        return Response(None, 200, {"ETag": f'"{info.etag}"'})

    @router.get("/{key:path}")
    def get_object(request: Request, key: str) -> Response:
        allowed = _allowed(objects, request, "GET", key)
        info = objects.store.head(key)
        name = quote(allowed.filename or key.rpartition("/")[2], safe="")
        headers = {
            "Cache-Control": "private, max-age=300",
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        }
        # Never what a browser would show: it is what somebody sent.
        media = _MEDIA.get(key.rpartition(".")[2], "application/octet-stream")
        return FileResponse(objects.store.uri_of(info.key), headers=headers, media_type=media)

    return router


def _allowed(objects: LocalObjects, request: Request, method: str, key: str) -> SignedRequest:
    query = request.query_params
    # What stands twice was not signed: one of both would count, and who is in front may take the other.
    told = dict(query) if len(query.multi_items()) == len(query) else {}
    return verify_signed(objects.signing_secret, method=method, key=key, query=told)


def _stored(objects: LocalObjects, key: str, path: Path, media: str) -> ObjectInfo:
    info = objects.store.put_file(key, path, content_type=media or "application/octet-stream")
    objects.arrived(info)
    return info
