"""Version 4 signatures of requests and of URLs, checked with botocore's own signer; used by the S3 fake alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from urllib.parse import parse_qs

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fakes.s3_objects import RefusedError

ACCESS_KEY, SECRET_KEY = "test", "test"
MOST_SKEW = timedelta(minutes=15)


def verify(method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
    """Raises 403 unless the request is signed with our key and fresh, 400 unless the body is the one that was signed.

    ``target`` is the request line's path and query as sent, header names are lower-case.
    """
    path, _, query = target.partition("?")
    asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    in_url = "X-Amz-Signature" in asked
    if in_url:
        told = {name: asked.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
        stamp, lifetime = asked.get("X-Amz-Date", ""), timedelta(seconds=int(asked.get("X-Amz-Expires", 0)))
        query = "&".join(part for part in query.split("&") if not part.startswith("X-Amz-Signature="))
    else:
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        if scheme != "AWS4-HMAC-SHA256":
            raise RefusedError(403, "AccessDenied")
        told = dict(part.strip().split("=", 1) for part in rest.split(","))
        stamp, lifetime = headers.get("x-amz-date", ""), MOST_SKEW
    access_key, _, scope = told["Credential"].partition("/")
    region = scope.split("/")[1] if scope.count("/") == 3 else ""
    signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if not signed_at - MOST_SKEW <= datetime.now(UTC) <= signed_at + lifetime:
        raise RefusedError(403, "AccessDenied" if in_url else "RequestTimeTooSkewed")
    signer = (S3SigV4QueryAuth if in_url else S3SigV4Auth)(Credentials(ACCESS_KEY, SECRET_KEY), "s3", region)
    signed = {name: headers.get(name, "") for name in told["SignedHeaders"].split(";")}
    request = AWSRequest(method, f"http://{headers['host']}{path}" + (f"?{query}" if query else ""), signed)
    request.context["timestamp"] = stamp
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if access_key != ACCESS_KEY or "host" not in signed or not compare_digest(expected, told["Signature"]):
        raise RefusedError(403, "SignatureDoesNotMatch")
    digest = signed.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    if digest.startswith("STREAMING-"):
        # SDKs send bodies in signed chunks over https only.
        raise RefusedError(501, "NotImplemented")
    if digest != "UNSIGNED-PAYLOAD" and digest != hashlib.sha256(body).hexdigest():
        raise RefusedError(400, "XAmzContentSHA256Mismatch")
