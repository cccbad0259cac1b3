"""Tenants: suspended, bounded, exported and deleted, on a folder and on S3 over HTTP, with real lakes."""

from __future__ import annotations

import gzip
import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shared.admitted_ingest import AdmittedIngest
from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.catalog.writer import LakeWriter
from shared.credentials import Credentials
from shared.errors import InvalidKeyRequestError, PreconditionFailedError, StoreUnavailableError, UnauthenticatedError
from shared.keys import Keys
from shared.last_used import UsageOfKeys
from shared.limits import Limits
from shared.outcome import Outcome
from shared.resources import open_session
from shared.sessions import Sessions
from shared.steps.fingerprints import fingerprints_of
from shared.storage.base import ObjectStore
from shared.storage.folder import FolderStore
from shared.tenant_admin import TenantAdmin
from shared.tenant_deletion import KEEP_EXPORTS_DAYS, SWEEP_DAYS, FinishTenants
from shared.tenant_export import ExportTenant, UnknownExportError
from shared.tenant_objects import EXPORTS, IN_INBOX, IN_LAKE
from shared.tenants import (
    FREE_AFTER_SECONDS,
    InvalidTenantError,
    Tenant,
    TenantDeletedError,
    TenantExistsError,
    Tenants,
    TenantSuspendedError,
    UnknownTenantError,
)
from shared.tokens import Tokens
from shared.usage import Use
from shared.values import UploadedObject
from tests.servers import create_s3_bucket, open_store
from tests.shop import shop_on

ORDERS = "order_id,ordered_at,customer_id,total\n1,2024-01-05,{name}-1,10.50\n2,2024-02-06,{name}-2,20\n"
ROWS = [f"{number},2024-01-01,{{name}}-{number},1" for number in range(3, 60)]
BAD = "\n".join(["order_id,ordered_at,customer_id,total", *ROWS, "x,never,{name},y", ""])
SOURCES = sorted((Path(__file__).parents[2] / "shared").rglob("*.py"))


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class House:
    """An installation on one store, wired as the composition root wires it; ``told`` are outcomes the world heard."""

    store: ObjectStore
    clock: Clock
    told: list[Outcome]
    keys: Keys
    tenants: Tenants
    credentials: Credentials
    ingest: AdmittedIngest
    reader_of: Callable[[str], LakeReader]
    export: ExportTenant
    finish: FinishTenants
    admin: TenantAdmin

    def upload(self, tenant: str, body: str, dataset: str = "orders", name: str = "o.csv") -> Outcome:
        """Put a file of a tenant into the inbox and bring it in."""
        outcome = self.ingest(self.put(tenant, body, dataset, name))
        self.reader_of(tenant).refresh()
        return outcome

    def put(self, tenant: str, body: str, dataset: str = "orders", name: str = "o.csv") -> UploadedObject:
        key = f"inbox/{tenant}/{dataset}/{name}"
        info = self.store.put(key, body.format(name=tenant).encode())
        return UploadedObject("inbox", key, info.version, info.etag, info.size_bytes)

    def live_in(self, tenant: str) -> str:
        """Make a tenant leave whatever a tenant can leave; returns the token of its key."""
        assert self.upload(tenant, BAD).counts.held == 1
        return self.leave(tenant)

    def leave(self, tenant: str) -> str:
        """The same without rows: whatever lies beside a lake."""
        made = self.keys.create(tenant, ["read"], label=f"of {tenant}")
        self.keys.revoke(self.keys.create(tenant, ["read"]).key.key_id)
        usage = UsageOfKeys(self.store)
        usage.add(Use(tenant, "sales/summary", made.key.key_id, 200, 1.0))
        usage.hand_in()
        fingerprints_of(self.store, tenant)
        for key in (f"lake/{tenant}/answers/x.csv", f"uploads/{tenant}/u1.json", f"jobs/{tenant}/open/1"):
            self.store.put(key, tenant.encode())
        self.store.put_if_match(f"spent/{tenant}.json", b"{}", etag="")
        self.tenants.create(tenant, label=f"{tenant} Ltd")
        return made.token

    def holding(self, name: str) -> set[str]:
        """Every object whose key or content holds a text, and every file that a folder hides."""
        found = {
            info.key for info in self.store.list("") if name in info.key or named(self.store.get(info.key)[0], name)
        }
        if isinstance(self.store, FolderStore):
            root = Path(self.store.uri)
            files = (path for path in root.rglob("*") if path.is_file())
            found |= {str(path.relative_to(root)) for path in files if named(path.read_bytes(), name)}
        return found


def named(body: bytes, name: str) -> bool:
    return name.encode() in (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)


@pytest.fixture(params=["folder", "s3"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    if request.param == "folder":
        return house_on(open_store({"kind": "folder", "root": str(tmp_path / "store")}))
    endpoint, bucket = request.getfixturevalue("s3_url"), f"b-{uuid.uuid4().hex[:12]}"
    create_s3_bucket(endpoint, bucket)
    return house_on(open_store({"kind": "s3", "endpoint": endpoint, "bucket": bucket, "prefix": ""}))


@pytest.fixture
def folder(tmp_path: Path) -> House:
    return house_on(open_store({"kind": "folder", "root": str(tmp_path / "store")}))


def house_on(store: ObjectStore) -> House:
    clock, told, shop = Clock(), [], shop_on(store)
    keys = Keys(store, now=clock, cache_seconds=0)
    tenants = Tenants(store, operator="operator", now=clock, cache_seconds=0)
    sessions = Sessions(open_session, lambda duck: duck.grant(store.duck_access(), "lake_store"))

    @cache
    def reader_of(tenant: str) -> LakeReader:
        return LakeReader(
            StoredCatalog(store, tenant),
            open_session,
            freshness_seconds=0,
            refresh_access=lambda duck: duck.grant(store.duck_access(), "lake_store"),
        )

    def writer_of(tenant: str) -> LakeWriter:
        return LakeWriter(StoredCatalog(store, tenant), shop.writer.open_duck)

    export = ExportTenant(store, reader_of)
    finish = FinishTenants(tenants, keys, store, store, export, now=clock)
    return House(
        store,
        clock,
        told,
        keys,
        tenants,
        Credentials(keys, Tokens((), operator="operator"), tenants),
        AdmittedIngest(shop.ingest, tenants, store, writer_of, sessions, reader_of, told.append),
        reader_of,
        export,
        finish,
        TenantAdmin(tenants, keys, store, export, lambda tenant: None),
    )


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_tenant_nobody_wrote_down_is_active_and_stays_unwritten(house):
    token = house.keys.create("acme", ["read"]).token
    assert house.credentials.verify(token).tenant == "acme"
    assert house.admin.one("acme").status == "active"
    assert not list(house.store.list("tenants/"))
    assert [tenant.name for tenant in house.admin.all()] == ["acme"]


@pytest.mark.parametrize("name", ["nobody", "../keys", "Acme", "", "a" * 64])
def test_what_is_not_there_can_be_neither_seen_nor_changed(folder, name):
    for act in ("one", "change", "suspend", "resume", "export", "delete"):
        with pytest.raises(UnknownTenantError):
            getattr(folder.admin, act)(name)
    assert not list(folder.store.list("tenants/"))


def test_a_tenant_is_written_down_once(house):
    house.tenants.create("acme", label="Acme Ltd", limits=Limits(day_bytes=5))
    with pytest.raises(TenantExistsError):
        house.tenants.create("acme")
    with pytest.raises(InvalidTenantError):
        house.tenants.create("../acme")
    known = house.tenants.now("acme")
    assert (known.label, known.limits, known.status) == ("Acme Ltd", Limits(day_bytes=5), "active")


def test_of_two_who_change_a_tenant_at_once_one_is_told(folder, monkeypatch):
    folder.tenants.create("acme")
    read = folder.tenants._read

    def read_then_beaten(name: str) -> tuple[Tenant, str]:
        found = read(name)
        Tenants(folder.store, operator="operator").change(name, label="first")
        return found

    monkeypatch.setattr(folder.tenants, "_read", read_then_beaten)
    with pytest.raises(PreconditionFailedError):
        folder.admin.suspend("acme")
    assert read("acme")[0].label == "first"


def test_the_stricter_of_the_limits_of_key_tenant_and_installation_holds(folder):
    folder.tenants.create("acme", limits=Limits(day_bytes=50, page_rows=10))
    general = Limits(day_bytes=9, query_bytes=7)
    credentials = Credentials(folder.keys, Tokens((), operator="operator"), folder.tenants, general)
    made = folder.keys.create("acme", ["read"], limits=Limits(day_bytes=99, page_rows=3, upload_bytes=1))
    who = credentials.verify(made.token)
    assert who.limits == Limits(day_bytes=50, page_rows=3, query_bytes=7, upload_bytes=1)
    assert who.tenant_limits == Limits(day_bytes=50, page_rows=10, query_bytes=7)
    folder.admin.change("acme", limits=Limits())
    assert credentials.verify(made.token).limits.day_bytes == 9


# --- suspended -------------------------------------------------------------------------------------------------------


def test_a_suspended_tenant_is_told_so_once_its_key_is_proven_and_comes_back_whole(house):
    token = house.keys.create("acme", ["read"]).token
    house.admin.suspend("acme", "unpaid")
    with pytest.raises(TenantSuspendedError) as raised:
        house.credentials.verify(token)
    assert "unpaid" not in raised.value.message
    with pytest.raises(UnauthenticatedError):
        house.credentials.verify(token[:-1] + ("0" if token[-1] != "0" else "1"))
    house.admin.resume("acme")
    assert house.credentials.verify(token).tenant == "acme"
    assert house.tenants.now("acme").reason == ""


def test_a_warm_process_notices_within_its_cache_time_and_asks_the_store_once(folder):
    token = folder.keys.create("acme", ["read"]).token
    keys, tenants = Keys(folder.store), Tenants(folder.store, operator="operator", cache_seconds=0.3)
    warm = Credentials(keys, Tokens((), operator="operator"), tenants)
    assert not warm.knows(token)
    warm.verify(token)
    assert warm.knows(token)
    folder.admin.suspend("acme")
    assert warm.verify(token).tenant == "acme"
    time.sleep(0.35)
    assert not warm.knows(token), "the next answer is not from memory"
    with pytest.raises(TenantSuspendedError):
        warm.verify(token)


def test_an_upload_of_a_suspended_tenant_is_held_and_can_be_replayed(house):
    house.upload("acme", ORDERS, name="first.csv")
    house.admin.suspend("acme")
    upload = house.put("acme", ORDERS.replace("1,2024", "7,2024"), name="second.csv")
    first, again = house.ingest(upload), house.ingest(upload)
    assert (first.status, first.reason_code, first.snapshot_id > 0) == ("held", "tenant_suspended", True)
    assert (again.status, again.reason_code, again.upload_id) == ("skipped", "", first.upload_id)
    assert [outcome.status for outcome in house.told] == ["held", "skipped"]
    house.admin.resume("acme")
    told = json.dumps({"command": "replay", "author": "tests", "upload_id": first.upload_id})
    replay = "{" + told + "}"  # as a pattern, braces are written twice
    assert house.upload("acme", replay, dataset="_commands", name="replay.json").status == "loaded"
    with house.reader_of("acme").pin() as lake:
        assert lake.duck.execute("SELECT count(*) FROM orders") == [(3,)]
        (statuses,) = lake.duck.execute("SELECT list(status ORDER BY committed_at) FROM teal.uploads")[0]
    assert statuses == ["loaded", "held", "loaded"]


def test_a_suspended_tenant_that_never_had_a_lake_has_its_upload_held_too(folder):
    folder.tenants.create("acme")
    folder.admin.suspend("acme")
    assert folder.upload("acme", ORDERS).status == "held"


# --- bounded ---------------------------------------------------------------------------------------------------------


def test_a_full_lake_holds_uploads_until_there_is_room(house):
    house.upload("acme", ORDERS, name="first.csv")
    house.tenants.create("acme", limits=Limits(stored_bytes=1))
    later = ORDERS.replace("1,2024", "7,2024")
    held = house.upload("acme", later, name="second.csv")
    assert (held.status, held.reason_code) == ("held", "storage_full")
    told = json.dumps({"command": "replay", "author": "tests", "upload_id": held.upload_id})
    replay = "{" + told + "}"  # as a pattern, braces are written twice
    full = house.upload("acme", replay, dataset="_commands", name="replay.json")
    assert (full.status, full.reason_code) == ("held", "storage_full")
    house.tenants.change("acme", limits=Limits(stored_bytes=10**9))
    assert house.upload("acme", replay + " ", dataset="_commands", name="a/replay.json").status == "loaded"


def test_an_upload_larger_than_the_tenant_may_send_is_held_however_it_came(house):
    house.tenants.create("acme", limits=Limits(upload_bytes=10))
    held = house.upload("acme", ORDERS, name="first.csv")
    assert (held.status, held.reason_code) == ("held", "upload_too_large")
    assert house.upload("rival", ORDERS, name="first.csv").status == "loaded"


# --- exported --------------------------------------------------------------------------------------------------------


def test_an_export_holds_every_row_every_upload_and_every_held_row(house, tmp_path):
    house.live_in("acme")
    done = house.export.into_folder("acme", tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "export.json").read_text())
    orders = pq.read_table(tmp_path / "out" / "datasets" / "orders.parquet").to_pylist()
    rows = {(row["order_id"], row["customer_id"], row["total"]) for row in orders}
    assert rows == {(str(number), f"acme-{number}", Decimal(1)) for number in range(3, 60)}
    uploads = json.loads((tmp_path / "out" / "uploads.json").read_text())
    assert [(one["object_key"], one["status"]) for one in uploads] == [("inbox/acme/orders/o.csv", "loaded")]
    (held,) = [file for file in done.files if file.name.startswith("held/")]
    assert "never" in str(pq.read_table(tmp_path / "out" / held.name).to_pylist())
    told = {file["name"]: file["size_bytes"] for file in manifest["files"]}
    there = {str(path.relative_to(tmp_path / "out")): path.stat().st_size for path in (tmp_path / "out").rglob("*.*")}
    there.pop("export.json")
    assert told == there
    with house.reader_of("acme").pin() as lake:
        assert manifest["snapshot"] == lake.snapshot_id
    with pytest.raises(FileExistsError):
        house.export.into_folder("acme", tmp_path / "out")


def test_an_ordered_export_is_made_by_the_schedule_and_fetched_from_signed_urls(house):
    house.leave("acme")
    ordered = house.admin.export("acme")
    assert (ordered.status, ordered.files) == ("ordered", ())
    (report,) = house.finish()
    assert (report.tenant, report.exports, report.status) == ("acme", 1, "active")
    done = house.export.one("acme", ordered.export_id)
    assert done.status == "done"
    urls = house.export.urls(done)
    assert urls.keys() == {file.name for file in done.files}
    assert all(url.expires_at < datetime.now(UTC) + timedelta(hours=1) for url in urls.values())
    body, _ = house.store.get(f"exports/acme/{done.export_id}/datasets/orders.parquet")
    assert body[:4] == b"PAR1"
    for tenant, export_id in (("globex", done.export_id), ("acme", "0" * 24), ("acme", "../x"), ("acme", "")):
        with pytest.raises(UnknownExportError):
            house.export.one(tenant, export_id)
    house.clock.ahead = timedelta(days=KEEP_EXPORTS_DAYS, hours=1)
    house.finish()
    assert not list(house.store.list("exports/"))


# --- deleted ---------------------------------------------------------------------------------------------------------


def test_nothing_of_a_deleted_tenant_is_left_but_that_there_was_one(house):
    token, other = house.live_in("acme"), house.live_in("globex")
    before = {info.key: info.etag for info in house.store.list("") if "globex" in info.key}
    kinds = {key.split("/")[0] for key in house.holding("acme")} - {".teal"}
    assert kinds == {"inbox", "jobs", "keys", "lake", "spent", "tenants", "uploads", "usage"}
    gone, export = house.admin.delete("acme", export=False)
    assert (gone.status, export) == ("deleting", None)
    with pytest.raises(UnauthenticatedError):
        house.credentials.verify(token)
    (report,) = house.finish()
    assert (report.status, report.keys, report.problems) == ("deleted", 2, [])
    assert {path for path in house.holding("acme") if not path.startswith(".teal/")} == {"tenants/acme.json"}
    own = house.tenants.now("acme")
    assert (own.status, own.label) == ("deleted", "")
    assert len(house.holding("acme")) <= 2, "a folder keeps the tombstone's own version"
    assert {info.key: info.etag for info in house.store.list("") if "globex" in info.key} == before
    assert house.credentials.verify(other).tenant == "globex"


def test_a_deletion_exports_first_and_the_export_outlives_it_for_some_days(house):
    house.leave("acme")
    _, export = house.admin.delete("acme")
    (report,) = house.finish()
    assert (report.status, report.exports) == ("deleted", 1)
    assert house.export.one("acme", export.export_id).status == "done"
    assert {path.split("/")[0] for path in house.holding("acme")} - {".teal"} == {"exports", "tenants"}
    house.clock.ahead = timedelta(days=KEEP_EXPORTS_DAYS, hours=1)
    house.finish()
    assert {path.split("/")[0] for path in house.holding("acme")} - {".teal"} == {"tenants"}


class Breaking(FolderStore):
    """A store that goes silent at the nth deletion."""

    left = 10**9

    def delete(self, key: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise StoreUnavailableError("silent")
        super().delete(key)


@pytest.mark.parametrize("deletions", [0, 3, 7])
def test_an_interrupted_deletion_is_finished_by_the_next_round(tmp_path, deletions):
    store = Breaking(tmp_path / "store", b"a signing secret", "http://127.0.0.1:8000")
    house = house_on(store)
    token = house.leave("acme")
    house.admin.delete("acme", export=False)
    store.left = deletions
    (report,) = house.finish()
    assert (report.status, len(report.problems)) == ("deleting", 1)
    with pytest.raises(UnauthenticatedError):
        house.credentials.verify(token)
    store.left = 10**9
    assert [one.status for one in house.finish()] == ["deleted"]
    assert {path for path in house.holding("acme") if not path.startswith(".teal/")} == {"tenants/acme.json"}


def test_a_lake_that_cannot_be_exported_is_deleted_when_told_to_do_without(folder):
    folder.live_in("acme")
    folder.store.delete("lake/acme/catalog.ducklake")
    folder.reader_of.cache_clear()  # type: ignore[attr-defined]
    folder.admin.delete("acme")
    (report,) = folder.finish()
    assert (report.status, len(report.problems)) == ("deleting", 1)
    folder.admin.delete("acme", export=False)
    assert [one.status for one in folder.finish()] == ["deleted"]


def test_an_upload_for_a_deleted_tenant_is_skipped_told_and_makes_no_lake(house):
    house.leave("acme")
    house.admin.delete("acme", export=False)
    for status in ("deleting", "deleted"):
        assert house.tenants.now("acme").status == status
        house.told.clear()
        outcome = house.upload("acme", ORDERS, name="late.csv")
        assert (outcome.status, outcome.reason_code, outcome.snapshot_id) == ("skipped", "tenant_deleted", 0)
        assert [one.reason_code for one in house.told] == ["tenant_deleted"]
        house.finish()
        assert not list(house.store.list("lake/acme/"))


def test_what_arrives_after_a_deletion_is_swept_up_for_as_long_as_a_signed_url_lives(folder):
    folder.leave("acme")
    folder.admin.delete("acme", export=False)
    folder.finish()
    for days, swept in ((SWEEP_DAYS - 1, True), (SWEEP_DAYS + 1, False)):
        folder.clock.ahead = timedelta(days=days)
        folder.put("acme", ORDERS)
        folder.store.put("lake/acme/data/main/orders/late.parquet", b"x")
        folder.finish()
        assert (not list(folder.store.list("inbox/acme/"))) == swept
        assert (not list(folder.store.list("lake/acme/"))) == swept


def test_a_deleted_tenant_cannot_be_changed_and_its_name_is_taken_again_only_on_purpose(folder):
    folder.leave("acme")
    folder.admin.delete("acme", export=False)
    for act in (folder.admin.suspend, folder.admin.resume, folder.admin.export, folder.tenants.change):
        with pytest.raises(TenantDeletedError):
            act("acme")
    folder.finish()
    with pytest.raises(TenantExistsError):
        folder.tenants.create("acme")
    assert folder.admin.delete("acme")[0].status == "deleted"
    with pytest.raises(TenantExistsError, match="its name is free at"):
        folder.tenants.create("acme", again=True)
    folder.clock.ahead += timedelta(seconds=FREE_AFTER_SECONDS + 1)
    folder.tenants.create("acme", again=True)
    assert folder.upload("acme", ORDERS).status == "loaded"
    assert folder.credentials.verify(folder.keys.create("acme", ["read"]).token).tenant == "acme"


def test_the_operator_cannot_lock_itself_out(folder):
    folder.keys.create("operator", ["admin"])
    for act in (folder.admin.suspend, folder.admin.delete):
        with pytest.raises(InvalidTenantError):
            act("operator")
    assert folder.admin.one("operator").status == "active"


# --- the list of prefixes --------------------------------------------------------------------------------------------

ELSEWHERE = {
    "keys/": "found by the tenant in each key, see Keys.delete_all",
    "tenants/": "the record that says it is deleted",
    "audit/": "what was done in the installation; it belongs to the operator",
    "my/": "addresses of published questions, which are rows of the lake",
}


def test_every_prefix_in_the_code_that_holds_a_tenants_objects_is_in_the_list():
    code = "\n".join(path.read_text() for path in SOURCES)
    listed = {place.split("{")[0] for place in (*IN_LAKE, *IN_INBOX, EXPORTS)}
    written = set(re.findall(r'f"([a-z]+/)\{(?:self\.|key\.|job\.)?tenant\}', code))
    assert written >= {"lake/", "inbox/", "uploads/"}
    assert written <= listed
    constants = set(re.findall(r'^_?[A-Z_]*PREFIX = "([a-z]+/)"', code, re.MULTILINE))
    assert constants >= {"usage/", "keys/", "tenants/"}
    assert constants <= listed | ELSEWHERE.keys()


def test_a_limit_that_means_nothing_is_refused(folder):
    for told in ({"rows": 5}, {"day_bytes": 0}, {"day_bytes": "5"}, {"page_rows": 1.5}, {"page_rows": True}):
        with pytest.raises(InvalidKeyRequestError):
            Limits.from_document(told)
