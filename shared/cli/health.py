"""``teal doctor`` and ``teal tidy``: is everything as it should be, and keeping it so."""

from __future__ import annotations

import sys

import click
from rich.markup import escape

from shared import bootstrap
from shared.cli.options import json_option, tenant_option
from shared.restore import RestoreCatalog
from shared.terminal import err, show
from shared.values import UploadedObject


@click.command(short_help="Is everything as it should be?")
@click.option("--restore-catalog", is_flag=True, help="Put a lost or damaged catalog back from its kept versions.")
@tenant_option
@json_option
def doctor(restore_catalog: bool, tenant: str, as_json: bool) -> None:
    """Examine the stores, the extensions, the catalog, and every data file."""
    if restore_catalog:
        _restore(bootstrap.restore_catalog(), tenant)
    found = bootstrap.doctor()(tenant)
    show([{"check": f.check, "ok": "yes" if f.ok else "NO", "detail": f.detail} for f in found], as_json)
    sys.exit(0 if all(f.ok for f in found if f.required) else 1)


def _restore(restore: RestoreCatalog, tenant: str) -> None:
    done = restore(tenant)
    if not done.changed:
        err.print("The catalog is whole; nothing was restored.")
    elif done.version_at is None:
        err.print(f"{done.files_brought_back} deleted files are back.")
    else:
        err.print(f"The catalog of {done.version_at:%Y-%m-%d %H:%M:%S} UTC is back, as snapshot {done.snapshot_id}.")
    if not done.again:
        return
    err.print(f"{len(done.again)} files of the inbox are not in the ledger; bringing them in.")
    for info in done.again:
        outcome = bootstrap.ingest_upload()(
            UploadedObject(bootstrap.inbox_bucket(), info.key, info.version, info.etag.strip('"'), info.size_bytes)
        )
        err.print(f"  {outcome.status} {escape(info.key)}")


@click.command(short_help="Make the rollups anew.")
@tenant_option
def rebuild(tenant: str) -> None:
    """Make the rollups anew from orders and lines, for instance after TEAL_TIMEZONE was changed."""
    orders, snapshot = bootstrap.rebuild_rollups(tenant)
    err.print(f"{orders:,} order totals, and those of their days and customers, in snapshot {snapshot}.")


@click.command(short_help="Merge, expire, verify, delete what nothing needs.")
@json_option
def tidy(as_json: bool) -> None:
    """Merge small files, expire old snapshots, delete what nothing needs, verify; bring in what was asked and done."""
    tenants = bootstrap.tidy().tenants()
    folded = [bootstrap.fold_usage()(tenant) for tenant in tenants]
    reports = bootstrap.tidy_lakes(tenants)
    for report, fold in zip(reports, folded, strict=False):
        report.problems += fold.problems
    rows = [vars(report) for report in reports]
    show(rows, as_json)
    gathered = bootstrap.gather_audit()()
    for problem in gathered.problems:
        err.print(f"audit: {escape(problem)}", soft_wrap=True, highlight=False)
    sys.exit(1 if gathered.problems or any(report.problems for report in reports) else 0)


@click.command(short_help="Fit the models: lifetime value, forecasts and so on.")
@click.option("--anyway", is_flag=True, help="Also when sales did not change since the last fit.")
@tenant_option
@json_option
def fit(anyway: bool, tenant: str, as_json: bool) -> None:
    """Fit the models to the newest snapshot, as the schedule does after sales changed."""
    report = bootstrap.fit_models()(tenant, anyway=anyway)
    show([vars(report)], as_json)
    sys.exit(1 if report.problems else 0)
