"""A small Google Cloud Storage over HTTP that keeps generations and enforces preconditions; for tests only.

It speaks the JSON API (as google-cloud-storage does), the XML API (as DuckDB's httpfs does), IAM's signBlob and a token
endpoint. Run it as
``python -m tests.fakes.gcs --port 0``; the first line it prints is its address.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import time
from dataclasses import dataclass, field
from email.utils import format_datetime, formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.fakes.gcs_objects import Objects, RefusedError, Stored, Unfinished
from tests.fakes.gcs_signature import private_key, sign_blob, signature_holds

CONDITION = re.compile(r"if(Meta)?[gG]eneration(Not)?Match\Z")
JSON_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/([^/]+)/o/([^/]+)\Z")
JSON_OBJECTS = re.compile(r"/(upload/)?storage/v1/b/([^/]+)/o\Z")
JSON_BUCKET = re.compile(r"/storage/v1/b/([^/]+)\Z")
IAM_SIGN = re.compile(r"/v1/projects/-/serviceAccounts/([^/]+):signBlob\Z")


@dataclass
class Reply:
    """An answer; ``stored`` adds the headers of an object."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """One fake. ``token`` is the only bearer token it takes ("" takes any request); ``keys`` sign by account."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, objects: Objects, token: str, keys: dict[str, RSAPrivateKey]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.objects = objects
        self.token = token
        self.keys = keys
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

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        if len(self.body) < length:
            self.close_connection = True  # the client was killed: what it did not finish is not stored
            return
        self.path, _, self.raw_query = self.path.partition("?")
        self.query = dict(parse_qsl(self.raw_query, keep_blank_values=True))
        try:
            self._authorize()
            reply = self._route()
        except RefusedError as refused:
            reply = self._refusal(refused)
        self.send_response(reply.status)
        if reply.status != 304:
            self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header."""
        return formatdate(time.time() if timestamp is None else timestamp, usegmt=True)

    def _authorize(self) -> None:
        if "X-Goog-Signature" in self.query:
            if not signature_holds(
                self.server.keys, self.command, self.path, self.raw_query, dict(self._lower_headers())
            ):
                raise RefusedError(403, "The request signature we calculated does not match, or it has expired.")
        elif not self._has_token():
            raise RefusedError(401, "Anonymous caller does not have storage access.")

    def _has_token(self) -> bool:
        wanted = self.server.token
        return not wanted or self.path == "/token" or self.headers.get("Authorization") == f"Bearer {wanted}"

    def _lower_headers(self) -> list[tuple[str, str]]:
        return [(name.lower(), value) for name, value in self.headers.items()]

    def _conditions(self) -> dict[str, str]:
        found = {name: value for name, value in self.query.items() if CONDITION.match(name)}
        for name, value in self._lower_headers():
            if name == "x-goog-if-generation-match":
                found["ifGenerationMatch"] = value
        return found

    def _route(self) -> Reply:
        path = self.path
        if match := JSON_OBJECT.match(path):
            return self._json_object(match[1], unquote(match[2]))
        if match := JSON_OBJECTS.match(path):
            return self._upload(match[2]) if match[1] else self._json_list(match[2])
        if match := JSON_BUCKET.match(path):
            self.server.objects.bucket(match[1])
            return _json({"kind": "storage#bucket", "name": match[1]})
        if path == "/storage/v1/b" and self.command == "POST":
            wanted = json.loads(self.body)
            versioning = wanted.get("versioning", {}).get("enabled", True)
            self.server.objects.create_bucket(wanted["name"], versioning=versioning)
            return _json({"kind": "storage#bucket", "name": wanted["name"]})
        if path == "/token":
            return _json({"access_token": self.server.token or "any", "expires_in": 3600, "token_type": "Bearer"})
        if match := IAM_SIGN.match(path):
            key = self.server.keys.get(unquote(match[1]))
            if key is None:
                raise RefusedError(403, "Permission iam.serviceAccounts.signBlob denied.")
            signed = sign_blob(key, base64.b64decode(json.loads(self.body)["payload"]))
            return _json({"keyId": "1", "signedBlob": base64.b64encode(signed).decode()})
        bucket, _, name = path.lstrip("/").partition("/")
        return self._xml_object(bucket, unquote(name)) if name else self._xml_list(bucket)

    # --- JSON API ----------------------------------------------------------------------------------------------------

    def _json_object(self, bucket: str, name: str) -> Reply:
        if self.command == "DELETE":
            self.server.objects.delete(bucket, name, {**self._conditions(), **self._generation()})
            return Reply(204)
        stored = self.server.objects.find(bucket, name, self.query)
        if self.query.get("alt") == "media" or self.path.startswith("/download/"):
            return self._media(stored)
        return _json(stored.resource())

    def _generation(self) -> dict[str, str]:
        return {"generation": self.query["generation"]} if "generation" in self.query else {}

    def _json_list(self, bucket: str) -> Reply:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        limit = min(int(self.query.get("maxResults", 1000)), 1000)
        versions = self.query.get("versions", "").lower() == "true"
        items, prefixes, token = self._page(bucket, prefix, delimiter, limit, self.query.get("pageToken", ""), versions)
        answer: dict[str, object] = {"kind": "storage#objects"}
        answer |= {"items": [stored.resource() for stored in items]} if items else {}
        answer |= {"prefixes": prefixes} if prefixes else {}
        answer |= {"nextPageToken": token} if token else {}
        return _json(answer)

    def _page(
        self, bucket: str, prefix: str, delimiter: str, limit: int, token: str, versions: bool
    ) -> tuple[list[Stored], list[str], str]:
        items: list[Stored] = []
        prefixes: list[str] = []
        entries = list(self.server.objects.listed(bucket, prefix, versions=versions))
        start = int(token or 0)
        for place, stored in enumerate(entries[start:], start):
            if len(items) + len(prefixes) == limit:
                return items, prefixes, str(place)
            rest = stored.name[len(prefix) :]
            if delimiter and delimiter in rest:
                folder = prefix + rest.partition(delimiter)[0] + delimiter
                prefixes += [] if folder in prefixes else [folder]
            else:
                items.append(stored)
        return items, prefixes, ""

    def _upload(self, bucket: str) -> Reply:
        objects, kind = self.server.objects, self.query.get("uploadType")
        if self.command == "PUT":
            return self._resume(self.query["upload_id"])
        if kind == "media":
            content_type = self.headers.get("Content-Type", "application/octet-stream")
            return _json(
                objects.put(bucket, self.query["name"], self.body, content_type, self._conditions()).resource()
            )
        if kind == "multipart":
            resource, content_type, body = self._related()
            stored = objects.put(bucket, resource["name"], body, content_type, self._conditions())
            if resource.get("crc32c", stored.crc32c) != stored.crc32c:
                raise RefusedError(400, "Provided CRC32C does not match.")
            return _json(stored.resource())
        resource = json.loads(self.body or b"{}")
        content_type = self.headers.get("X-Upload-Content-Type", "application/octet-stream")
        name = resource.get("name") or self.query["name"]
        upload_id = objects.begin(Unfinished(bucket, name, content_type, self._conditions()))
        place = f"{self.server.url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={upload_id}"
        return Reply(200, headers={"Location": place, "X-GUploader-UploadID": upload_id})

    def _resume(self, upload_id: str) -> Reply:
        upload = self.server.objects.unfinished(upload_id)
        span, _, total = self.headers.get("Content-Range", "bytes 0-/*").removeprefix("bytes ").partition("/")
        if span != "*":
            start = int(span.partition("-")[0])
            if start > len(upload.received):
                raise RefusedError(503, "Bytes are missing before this part.")
            upload.received[start:] = self.body
        if "Content-Range" not in self.headers or (total != "*" and len(upload.received) == int(total)):
            return _json(self.server.objects.finish(upload_id, bytes(upload.received)).resource())
        received = {"Range": f"bytes=0-{len(upload.received) - 1}"} if upload.received else {}
        return Reply(308, headers=received)

    def _related(self) -> tuple[dict[str, str], str, bytes]:
        """The two parts of a multipart/related body: the resource, then type and bytes of the media."""
        boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])
        assert boundary is not None
        mark = b"--" + boundary[1].encode()
        _, first, rest = self.body.split(mark, 2)
        media = rest[: rest.rindex(mark)].removesuffix(b"\r\n")
        head, _, body = media.lstrip(b"\r\n").partition(b"\r\n\r\n")
        content_type = re.search(rb"(?i)content-type:\s*([^\r\n]+)", head)
        resource = json.loads(first.partition(b"\r\n\r\n")[2])
        return resource, content_type[1].decode() if content_type else "application/octet-stream", body

    # --- XML API -----------------------------------------------------------------------------------------------------

    def _xml_object(self, bucket: str, name: str) -> Reply:
        objects = self.server.objects
        if self.command in ("GET", "HEAD"):
            return self._media(objects.find(bucket, name, {**self._generation(), **self._conditions()}))
        if self.command == "DELETE":
            if "uploadId" in self.query:
                objects.abandon(self.query["uploadId"])
            else:
                objects.delete(bucket, name, {**self._conditions(), **self._generation()})
            return Reply(204)
        content_type = self.headers.get("Content-Type", "application/octet-stream")
        if self.command == "POST" and "uploads" in self.query:
            upload_id = objects.begin(Unfinished(bucket, name, content_type, self._conditions()))
            return _xml(
                f"<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(name)}</Key>"
                f"<UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
            )
        if self.command == "POST":
            upload = objects.unfinished(self.query["uploadId"])
            numbers = [int(number) for number in re.findall(rb"<PartNumber>\s*(\d+)", self.body)]
            body = b"".join(upload.parts[number] for number in numbers)
            stored = objects.finish(self.query["uploadId"], body, len(numbers))
            return _xml(
                f"<CompleteMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(name)}</Key>"
                f"<ETag>{stored.xml_etag}</ETag></CompleteMultipartUploadResult>"
            )
        if "partNumber" in self.query:
            objects.unfinished(self.query["uploadId"]).parts[int(self.query["partNumber"])] = self.body
            part = Stored(bucket, name, 0, self.body, content_type)
            return Reply(200, headers={"ETag": part.xml_etag})
        self._check_length()
        stored = objects.put(bucket, name, self.body, content_type, self._conditions())
        return Reply(200, headers={"ETag": stored.xml_etag, "x-goog-generation": str(stored.generation)})

    def _check_length(self) -> None:
        low, _, high = self.headers.get("x-goog-content-length-range", "").partition(",")
        if high and not int(low) <= len(self.body) <= int(high):
            raise RefusedError(400, "Your proposed upload is not within the allowed content length range.")

    def _xml_list(self, bucket: str) -> Reply:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        limit = int(self.query.get("max-keys", 1000))
        token = self.query.get("continuation-token", "")
        items, prefixes, following = self._page(bucket, prefix, delimiter, limit, token, False)
        contents = "".join(
            f"<Contents><Key>{escape(item.name)}</Key><LastModified>{item.updated:%Y-%m-%dT%H:%M:%S.%f}Z</LastModified>"
            f"<ETag>{item.xml_etag}</ETag><Size>{len(item.body)}</Size></Contents>"
            for item in items
        )
        folders = "".join(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in prefixes)
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{following}</NextContinuationToken>"
        end = more if following else "<IsTruncated>false</IsTruncated>"
        return _xml(f"<ListBucketResult><Name>{bucket}</Name>{end}{contents}{folders}</ListBucketResult>")

    # --- both --------------------------------------------------------------------------------------------------------

    def _media(self, stored: Stored) -> Reply:
        size = len(stored.body)
        headers = {
            "ETag": stored.xml_etag,
            "Last-Modified": format_datetime(stored.updated, usegmt=True),
            "Accept-Ranges": "bytes",
            "x-goog-generation": str(stored.generation),
            "x-goog-metageneration": "1",
            "x-goog-stored-content-length": str(size),
        }
        if disposition := self.query.get("response-content-disposition"):
            headers["Content-Disposition"] = disposition
        asked = re.match(r"bytes=(\d*)-(\d*)\Z", self.headers.get("Range", ""))
        if asked and (asked[1] or asked[2]):
            start = int(asked[1]) if asked[1] else max(size - int(asked[2]), 0)
            end = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
            if start >= size:
                raise RefusedError(416, "The requested range cannot be satisfied.")
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
            return Reply(
                206, stored.body[start : end + 1], stored.content_type, headers | self._length(end + 1 - start)
            )
        # Google sends the hashes with whole objects only; clients check what they got against them.
        headers["x-goog-hash"] = f"crc32c={stored.crc32c},md5={stored.resource()['md5Hash']}"
        return Reply(200, stored.body, stored.content_type, headers | self._length(size))

    @staticmethod
    def _length(size: int) -> dict[str, str]:
        return {"Content-Length": str(size)}

    def _refusal(self, refused: RefusedError) -> Reply:
        if refused.status == 304:
            return Reply(304)
        if "/storage/v1/" in self.path and self.query.get("alt") != "media":
            error = {"code": refused.status, "message": refused.message, "errors": [{"message": refused.message}]}
            return Reply(refused.status, json.dumps({"error": error}).encode())
        if "/storage/v1/" in self.path:
            return Reply(refused.status, refused.message.encode(), "text/html; charset=UTF-8")
        codes = {401: "AuthenticationRequired", 403: "AccessDenied", 404: "NoSuchKey", 412: "PreconditionFailed"}
        code = "NoSuchBucket" if "bucket does not" in refused.message else codes.get(refused.status, "InvalidArgument")
        return _xml(f"<Error><Code>{code}</Code><Message>{escape(refused.message)}</Message></Error>", refused.status)


def _json(answer: dict[str, object]) -> Reply:
    return Reply(200, json.dumps(answer).encode())


def _xml(text: str, status: int = 200) -> Reply:
    return Reply(status, f"<?xml version='1.0' encoding='UTF-8'?>{text}".encode(), "application/xml; charset=UTF-8")


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--require-token", default="", help="the only bearer token to accept; default: no check")
    parser.add_argument("--ignore-conditions", action="store_true", help="be a store that must be detected")
    parser.add_argument("--keys", type=Path, help="a JSON file: service account email to RSA private key (PEM)")
    chosen = parser.parse_args()
    keys = (
        {email: private_key(pem) for email, pem in json.loads(chosen.keys.read_text()).items()} if chosen.keys else {}
    )
    server = Server(chosen.port, Objects(enforce=not chosen.ignore_conditions), chosen.require_token, keys)
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
