"""Every setting, once: the only reader of the environment, called by ``bootstrap`` alone.

Each field is the environment variable ``TEAL_`` + its name in upper case; docs/settings.md explains all of them, and a
spec compares the two with the templates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an installation may choose. Units are in the names."""

    model_config = SettingsConfigDict(env_prefix="TEAL_", frozen=True, extra="forbid")

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
    max_inline_bytes: int = Field(5_500_000, ge=1_000, description="Larger answers are stored and answered by a 303.")
    answer_cache_mb: int = Field(32, ge=0, description="Memory for the last answers of a warm function.")
    write_wait_seconds: float = Field(
        10.0, ge=0, description="How long a write waits for its commit before it answers 202."
    )
    signed_url_seconds: int = Field(900, ge=1, le=604_800, description="Life of signed upload and download URLs.")
    public_url: str = Field("", description="The API's own address, for links made outside a request.")
    docs_enabled: bool = Field(True, description="Serve /docs and /openapi.json.")

    # How files come in
    max_upload_mb: int = Field(10_240, ge=1, description="Larger objects are held unread.")
    inline_rows: int = Field(200, ge=0, description="Commits of at most this many rows go into the catalog itself.")
    commit_attempts: int = Field(30, ge=1, description="How often a commit that lost a race is tried again.")
    infer_datasets: bool = Field(True, description="Unknown tables become datasets with an inferred contract.")
    timezone: str = Field("UTC", description="Default IANA time zone of tenants: for naive times and for answers.")
    currency: str = Field("", description="Default ISO 4217 currency of amounts whose file names none.")

    # Maintenance
    keep_snapshots_days: int = Field(30, ge=1, description="Older snapshots expire.")
    orphan_grace_hours: int = Field(24, ge=1, description="Files without a snapshot are deleted after this long.")
    keep_held_days: int = Field(90, ge=1, description="Held rows are kept this long.")

    # The machine
    memory_limit_mb: int = Field(1_024, ge=128, description="DuckDB's memory limit.")
    threads: int = Field(2, ge=1, description="DuckDB's threads.")
    temp_directory: Path | None = Field(None, description="Where files are spilled; empty means a private folder.")
    max_temp_gb: float = Field(4.0, gt=0, description="Bound for temporary files.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    signing_secret: SecretStr = Field(
        SecretStr(""), description="Signs cursors and local URLs; empty means a secret kept in the lake's store."
    )

    @property
    def inbox_uri(self) -> str:
        """The inbox's store."""
        return self.inbox or self.lake
