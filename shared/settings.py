"""Every setting, once: the only reader of the environment, called by ``bootstrap`` alone.

Each field is the environment variable ``TEAL_`` + its name in upper case, and an empty one counts as not set. A spec
compares the fields with docs/settings.md, .env.example and the templates.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.issuers import Issuer, check_together
from shared.values import NAME

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?\Z")
_TOPIC = re.compile(r"(arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[\w-]{1,256}|projects/[\w.:-]+/topics/[\w.~+%-]{3,255})\Z")
_QUEUE = re.compile(r"(https?://[^\s?#]+/[0-9]{12}/[\w-]{1,80}|projects/[\w.:-]+/topics/[\w.~+%-]{3,255}|here)\Z")


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

    # What may be taken; a tenant or a key may have limits of its own
    max_requests_per_second: float = Field(
        0.0, ge=0, description="Requests a second of one tenant, ten seconds of them at once; 0: no limit."
    )
    max_concurrent_requests: int = Field(
        0, ge=0, description="Requests of one tenant that a process answers at the same time; 0: no limit."
    )
    max_query_gb: float = Field(0.0, ge=0, description="Data files that one question may read; 0: no limit.")
    max_day_gb: float = Field(
        0.0, ge=0, description="Data files that all questions of a tenant may read in a day (UTC); 0: no limit."
    )
    max_answer_mb: float = Field(0.0, ge=0, description="Largest answer; 0: no limit.")
    max_stored_gb: float = Field(
        0.0, ge=0, description="Data files that a lake may have before its uploads are held; 0: no limit."
    )
    sql_seconds: float = Field(
        10.0, gt=0, description="How long a query of `/v1/sql` or of a published question may run."
    )
    sql_memory_mb: int = Field(0, ge=0, description="Memory of such a query; 0: half of `memory_limit_mb`.")
    sql_temp_mb: int = Field(256, ge=16, description="Temporary files of such a query.")
    sql_answer_mb: int = Field(16, ge=1, description="Largest answer of such a query.")
    sql_at_once: int = Field(
        3, ge=1, description="Such queries that a process runs at the same time; one less of a single tenant."
    )

    # What is answered later
    jobs_to: str = Field(
        "",
        description="Who works on questions that are answered later: an SQS queue's URL, "
        "projects/<project>/topics/<topic>, or `here`; empty: this process where the lake is a folder, else nobody.",
    )
    jobs_endpoint: str = Field("", description="Another SQS or Pub/Sub server, as http://host:port.")
    job_seconds: float = Field(300.0, gt=0, description="How long such a question may run.")
    job_answer_mb: int = Field(
        64,
        ge=1,
        le=1_024,
        description="Largest answer of a query of `/v1/sql` or of a published question that is answered later.",
    )
    job_page_rows: int = Field(100_000, ge=1, description="Largest `limit` of a page that is answered later.")
    max_open_jobs: int = Field(10, ge=1, description="Jobs of one tenant that may wait or run at the same time.")
    keep_jobs_hours: int = Field(24, ge=1, le=168, description="Jobs and their answers are kept this long.")

    # How files come in
    max_upload_mb: int = Field(10_240, ge=1, description="Larger objects are held unread.")
    read_seconds: float = Field(
        120.0, gt=0, description="A file that takes longer to read, and four seconds longer for each MB, is held."
    )
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
    audit: Literal["all", "changes", "off"] = Field(
        "all", description="What goes into the operator's dataset `audit`: all, only what changes something, or off."
    )
    operator: str = Field(
        "operator", description="Tenant whose admin keys manage the tenants, and whose lake has the audit log."
    )

    # Who may ask
    jwt_issuers: Annotated[tuple[Issuer, ...], NoDecode] = Field(
        (), description="OIDC issuers whose tokens are taken: a JSON list, see how-to/sign-in-with-oidc.md."
    )

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

    @field_validator("operator")
    @classmethod
    def _tenant(cls, told: str) -> str:
        if not NAME.match(told):
            raise ValueError("a lower-case name: a-z, 0-9 and _, at most 63")
        return told

    @field_validator("jwt_issuers", mode="before")
    @classmethod
    def _issuers(cls, told: object) -> object:
        return json.loads(told) if isinstance(told, str) else told

    @field_validator("jwt_issuers")
    @classmethod
    def _apart(cls, told: tuple[Issuer, ...]) -> tuple[Issuer, ...]:
        check_together(told)
        return told

    @field_validator("announce_to")
    @classmethod
    def _topic(cls, told: str) -> str:
        if told and not _TOPIC.match(told):
            raise ValueError("neither an ARN of SNS nor projects/<project>/topics/<topic>")
        return told

    @field_validator("jobs_to")
    @classmethod
    def _queue(cls, told: str) -> str:
        if told and not _QUEUE.match(told):
            raise ValueError("neither the URL of an SQS queue nor projects/<project>/topics/<topic> nor here")
        return told

    @property
    def inbox_uri(self) -> str:
        """The inbox's store."""
        return self.inbox or self.lake
