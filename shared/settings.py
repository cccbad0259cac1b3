"""Every setting, once: the only reader of the environment, called by ``bootstrap`` alone.

Each field is the environment variable ``TEAL_`` + its name in upper case, and an empty one counts as not set. A spec
compares the fields with docs/settings.md, .env.example and the templates.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?\Z")
_TOPIC = re.compile(r"(arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[\w-]{1,256}|projects/[\w.:-]+/topics/[\w.~+%-]{3,255})\Z")


class Settings(BaseSettings):
    """What an installation may choose. Units are in the names."""

    model_config = SettingsConfigDict(env_prefix="TEAL_", env_ignore_empty=True, frozen=True, extra="forbid")

    # Where the data is
    lake: str = Field(
        "teal-data", description="Store of the lakes: a folder, s3://bucket[/prefix] or gs://bucket[/prefix]."
    )
    inbox: str = Field("", description="Store of the inbox; empty means the same as `lake`.")
    region: str = Field("us-east-1", description="AWS region of both buckets.")
    s3_endpoint: str = Field("", description="Another S3 server than AWS, as http://host:port; addressed path-style.")
    gcs_endpoint: str = Field("", description="Another Google Cloud Storage server than Google's, as http://host:port.")

    # How answers are made
    freshness_seconds: float = Field(1.0, ge=0, description="A reader asks for a newer catalog at most this often.")
    max_page_rows: int = Field(10_000, ge=1, description="Largest `limit` of one page.")
    max_inline_bytes: int = Field(4_000_000, ge=1_000, description="Larger answers are stored and answered by a 303.")
    answer_cache_mb: int = Field(32, ge=0, description="Memory for the last answers of a warm function.")
    write_wait_seconds: float = Field(
        10.0, ge=0, description="How long a write waits for its commit before it answers 202."
    )
    signed_url_seconds: int = Field(900, ge=1, le=604_800, description="Life of signed upload and download URLs.")
    public_url: str = Field("", description="The API's own address, for links made outside a request.")
    docs_enabled: bool = Field(True, description="Serve /docs and /openapi.json.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins (https://host[:port], separated by commas or spaces) whose pages may call the API."
    )

    # How files come in
    max_upload_mb: int = Field(10_240, ge=1, description="Larger objects are held unread.")
    inline_rows: int = Field(
        200,
        ge=0,
        description="More new rows than this go into a file that is kept when a lost race repeats the commit.",
    )
    commit_attempts: int = Field(30, ge=1, description="How often a commit that lost a race is tried again.")
    infer_datasets: bool = Field(True, description="Unknown tables become datasets with an inferred contract.")
    timezone: str = Field("UTC", description="Default IANA time zone of tenants: for naive times and for answers.")
    currency: str = Field("", description="Default ISO 4217 currency of amounts whose file names none.")

    # Maintenance
    keep_snapshots_days: int = Field(30, ge=1, description="Older snapshots expire.")
    orphan_grace_hours: int = Field(
        24, ge=1, description="Files without a snapshot are deleted after this long; a commit may take half of it."
    )
    keep_held_days: int = Field(90, ge=1, description="Held rows are kept this long.")
    usage: bool = Field(True, description="Count what is asked, for the question `usage`.")

    # Who is told
    announce_to: str = Field(
        "",
        description="Topic that hears of uploads: an SNS ARN or projects/<project>/topics/<topic>; empty: none.",
    )
    announce_endpoint: str = Field("", description="Another SNS or Pub/Sub server, as http://host:port.")
    metrics_namespace: str = Field(
        "", description="CloudWatch namespace of the metrics that ingest writes into its log; empty: none."
    )

    # The machine
    memory_limit_mb: int = Field(1_024, ge=128, description="DuckDB's memory limit.")
    threads: int = Field(2, ge=1, description="DuckDB's threads.")
    temp_directory: Path | None = Field(None, description="Where files are spilled; empty means a private folder.")
    max_temp_gb: float = Field(4.0, gt=0, description="Bound for temporary files.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    signing_secret: SecretStr = Field(
        SecretStr(""), description="Signs cursors and local URLs; empty means a secret kept in the lake's store."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, told: object) -> object:
        if not isinstance(told, str):
            return told
        origins = told.replace(",", " ").split()
        for origin in origins:
            if not _ORIGIN.match(origin):
                raise ValueError(f"{origin!r} is not an origin like https://shop.example")
        return tuple(origins)

    @field_validator("announce_to")
    @classmethod
    def _topic(cls, told: str) -> str:
        if told and not _TOPIC.match(told):
            raise ValueError("neither an ARN of SNS nor projects/<project>/topics/<topic>")
        return told

    @property
    def inbox_uri(self) -> str:
        """The inbox's store."""
        return self.inbox or self.lake
