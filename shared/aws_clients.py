"""Clients of Amazon's services whose calls are short: a silent one is given up soon. The store of S3 makes its own."""

from __future__ import annotations

from typing import Any

TIMEOUT_SECONDS = 3


def aws_client(service: str, region: str, endpoint_url: str = "") -> Any:
    """A client, made by the first call of whoever needs one: the SDK takes 150 ms. ``endpoint_url``: another server."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 2},
    )
    return boto3.client(service, region_name=region, endpoint_url=endpoint_url or None, config=config)
