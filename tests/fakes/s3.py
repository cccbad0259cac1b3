"""A small Amazon S3 over HTTP that decides a conditional write in one step, as S3 does; for tests only.

It speaks what boto3, DuckDB's httpfs and signed URLs need of the REST API, path-style. Run it as
``python -m tests.fakes.s3 --port 0``; the first line it prints is its address.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import format_datetime, formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape

from tests.fakes.s3_objects import Objects, RefusedError, Stored, Upload, crc32_of
from tests.fakes.s3_signature import verify

CONDITIONS = ("if-match", "if-none-match")
PAGE = 1_000


@dataclass
class Reply:
    """An answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/xml"
    headers: dict[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """One fake."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.objects = Objects()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    # Without these two, Nagle's algorithm and delayed acknowledgements make 40 ms of each small answer.
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header."""
        return formatdate(time.time() if timestamp is None else timestamp, usegmt=True)

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: a client that hears nothing waits a second."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _serve(self) -> None:
        self.asked = {name.lower(): value for name, value in self.headers.items()}
        length = int(self.asked.get("content-length", 0))
        self.body = self.rfile.read(length)
        if len(self.body) < length:
            # The client died while it was sending: nothing was asked.
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        bucket, _, key = path.lstrip("/").partition("/")
        try:
            verify(self.command, self.path, self.asked, self.body)
            self._check_body()
            reply = self._object(bucket, unquote(key)) if key else self._bucket(bucket)
        except RefusedError as refused:
            error = f"<Error><Code>{refused.code}</Code><Message>{refused.code}</Message></Error>"
            reply = Reply(304) if refused.status == 304 else _xml(error, refused.status)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status not in (204, 304):
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD" and reply.status not in (204, 304):
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _check_body(self) -> None:
        told = self.asked.get("x-amz-checksum-crc32")
        if told is not None and told != crc32_of(self.body):
            raise RefusedError(400, "BadDigest")

    # --- buckets -----------------------------------------------------------------------------------------------------

    def _bucket(self, name: str) -> Reply:
        objects = self.server.objects
        if self.command == "PUT" and "versioning" not in self.query:
            objects.create_bucket(name)
            return Reply()
        bucket = objects.bucket(name)
        if self.command == "PUT":
            bucket.versioning = b"<Status>Enabled</Status>" in self.body
            return Reply()
        if self.command == "HEAD":
            return Reply(headers={"x-amz-bucket-region": "us-east-1"})
        if self.command != "GET":
            raise RefusedError(501, "NotImplemented")
        return self._versions(name) if "versions" in self.query else self._listing(name)

    def _page(self, found: Sequence[Stored], start: int) -> tuple[list[Stored], list[str], int]:
        """One page from ``start``: objects, common prefixes, and where the next one begins (0: there is none)."""
        limit = min(int(self.query.get("max-keys", PAGE)), PAGE)
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")

        def folder_of(stored: Stored) -> str:
            rest = stored.key[len(prefix) :]
            return prefix + rest.partition(delimiter)[0] + delimiter if delimiter and delimiter in rest else ""

        items: list[Stored] = []
        folders: list[str] = []
        place = start
        for folder, group in groupby(found[start:], folder_of):
            members = list(group)
            for taken in [members] if folder else [[one] for one in members]:
                if len(items) + len(folders) == limit:
                    return items, folders, place
                folders += [folder] if folder else []
                items += [] if folder else taken
                place += len(taken)
        return items, folders, 0

    def _listing(self, bucket: str) -> Reply:
        found = self.server.objects.listed(bucket, self.query.get("prefix", ""), versions=False)
        # A token is the last key before the page, so that what comes and goes in between skips nothing.
        after = self.query.get("continuation-token", self.query.get("start-after", ""))
        start = sum(stored.key.encode() <= after.encode() for stored in found) if after else 0
        items, folders, following = self._page(found, start)
        contents = "".join(f"<Contents>{self._facts(item)}</Contents>" for item in items)
        if following:
            contents += f"<NextContinuationToken>{self._named(found[following - 1].key)}</NextContinuationToken>"
        return self._list_xml("ListBucketResult", contents, len(items), folders, following)

    def _versions(self, bucket: str) -> Reply:
        found = self.server.objects.listed(bucket, self.query.get("prefix", ""), versions=True)
        marker = (self.query.get("key-marker", ""), self.query.get("version-id-marker", ""))
        places = [place for place, one in enumerate(found, 1) if (one.key, one.version) == marker]
        items, folders, following = self._page(found, places[0] if places else 0)
        contents = ""
        for item in items:
            newest = item is self.server.objects.bucket(bucket).keys[item.key][-1]
            facts = f"<VersionId>{item.version}</VersionId><IsLatest>{str(newest).lower()}</IsLatest>"
            tag = "DeleteMarker" if item.is_marker else "Version"
            contents += f"<{tag}>{self._facts(item)}{facts}</{tag}>"
        if following:
            last = found[following - 1]
            contents += f"<NextKeyMarker>{self._named(last.key)}</NextKeyMarker>"
            contents += f"<NextVersionIdMarker>{last.version}</NextVersionIdMarker>"
        return self._list_xml("ListVersionsResult", contents, len(items), folders, following)

    def _list_xml(self, tag: str, contents: str, count: int, folders: list[str], following: int) -> Reply:
        encoding = "<EncodingType>url</EncodingType>" if self.query.get("encoding-type") == "url" else ""
        shared = "".join(f"<CommonPrefixes><Prefix>{self._named(name)}</Prefix></CommonPrefixes>" for name in folders)
        more = str(following > 0).lower()
        told = f"{encoding}<KeyCount>{count + len(folders)}</KeyCount><IsTruncated>{more}</IsTruncated>"
        return _xml(f'<{tag} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{told}{contents}{shared}</{tag}>')

    def _facts(self, item: Stored) -> str:
        return (
            f"<Key>{self._named(item.key)}</Key><ETag>{escape(item.etag)}</ETag><Size>{len(item.body)}</Size>"
            f"<LastModified>{item.modified_at:%Y-%m-%dT%H:%M:%S.%f}Z</LastModified>"
        )

    def _named(self, key: str) -> str:
        return quote(key, safe="/") if self.query.get("encoding-type") == "url" else escape(key)

    # --- objects -----------------------------------------------------------------------------------------------------

    def _object(self, bucket: str, key: str) -> Reply:
        objects, upload_id = self.server.objects, self.query.get("uploadId", "")
        content_type = self.asked.get("content-type", "binary/octet-stream")
        conditions = {name: self.asked[name] for name in CONDITIONS if name in self.asked}
        if self.command in ("GET", "HEAD"):
            stored = objects.find(bucket, key, self.query.get("versionId", ""))
            return self._media(stored, self._version(bucket, stored))
        if self.command == "DELETE":
            if upload_id:
                objects.abandon(upload_id)
                return Reply(204)
            mark = objects.delete(bucket, key, self.query.get("versionId", ""))
            return Reply(204, headers={"x-amz-delete-marker": "true", "x-amz-version-id": mark.version} if mark else {})
        if self.command == "POST" and "uploads" in self.query:
            begun = objects.begin(Upload(bucket, key, content_type))
            names = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{begun}</UploadId>"
            return _xml(f"<InitiateMultipartUploadResult>{names}</InitiateMultipartUploadResult>")
        if self.command == "POST":
            numbers = [int(number) for number in re.findall(rb"<PartNumber>\s*(\d+)", self.body)]
            stored = objects.finish(upload_id, numbers, conditions)
            names = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>{escape(stored.etag)}</ETag>"
            return _xml(f"<CompleteMultipartUploadResult>{names}</CompleteMultipartUploadResult>")
        if upload_id:
            return Reply(headers={"ETag": objects.add_part(upload_id, int(self.query["partNumber"]), self.body)})
        if "x-amz-copy-source" in self.asked:
            raise RefusedError(501, "NotImplemented")
        stored = objects.put(bucket, key, self.body, content_type, conditions)
        return Reply(headers={"ETag": stored.etag, **self._version(bucket, stored)})

    def _version(self, bucket: str, stored: Stored) -> dict[str, str]:
        return {"x-amz-version-id": stored.version} if self.server.objects.bucket(bucket).versioning else {}

    def _media(self, stored: Stored, version: dict[str, str]) -> Reply:
        size = len(stored.body)
        headers = {
            "ETag": stored.etag,
            "Last-Modified": format_datetime(stored.modified_at, usegmt=True),
            "Accept-Ranges": "bytes",
            **version,
        }
        if self.asked.get("if-match", stored.etag).strip('"') != stored.etag.strip('"'):
            raise RefusedError(412, "PreconditionFailed")
        if self.asked.get("if-none-match", "").strip('"') == stored.etag.strip('"'):
            raise RefusedError(304, "NotModified")
        if disposition := self.query.get("response-content-disposition"):
            headers["Content-Disposition"] = disposition
        asked = re.match(r"bytes=(\d*)-(\d*)\Z", self.asked.get("range", ""))
        if asked and (asked[1] or asked[2]):
            start = int(asked[1]) if asked[1] else max(size - int(asked[2]), 0)
            end = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
            if start >= size:
                raise RefusedError(416, "InvalidRange")
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
            return Reply(206, stored.body[start : end + 1], stored.content_type, headers)
        if "-" not in stored.etag and self.asked.get("x-amz-checksum-mode"):
            # The client checks what it got against it.
            headers |= {"x-amz-checksum-crc32": crc32_of(stored.body), "x-amz-checksum-type": "FULL_OBJECT"}
        return Reply(200, stored.body, stored.content_type, headers)


def _xml(text: str, status: int = 200) -> Reply:
    return Reply(status, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode())


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    server = Server(parser.parse_args().port)
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
