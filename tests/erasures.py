"""A shop with a person to be erased, and a look into every byte of its store."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared.catalog.packed import BLOCK_BYTES
from shared.duck import Duck, literal, open_duck, quoted
from shared.formats.table import ReadOptions
from shared.keys import SCOPES, Principal
from shared.paging import Cursors
from shared.persons import Erasure, Persons
from shared.steps.rollups import ROLLUPS, rebuild_rollups
from shared.storage.base import ObjectStore
from shared.storage.folder import FolderStore
from shared.uploads import UploadRules, Uploads
from shared.values import UploadedObject
from tests.shop import TENANT, Shop, shop_on

JANE = "cust-7f3a"
JANES_MAIL = "jane.roe@example.org"
JANES_NAME = "Jane Roe-Miller"
NEEDLES = (JANE, JANES_MAIL, JANES_NAME)

CUSTOMERS = f"""customer_id,email,name,country
cust-1,ann@example.org,Ann,FR
{JANE},Jane.Roe@Example.org,{JANES_NAME},DE
zoe-9,zoe@example.org,Zoe,PL
"""
ORDERS = f"""order_id,ordered_at,customer_id,total,tax,email,note
1,2024-01-05,cust-1,10,1,ann@example.org,
2,2024-01-07,{JANE},20,2,{JANES_MAIL},call {JANES_MAIL} first
3,2024-02-07,{JANE},30,3,{JANES_MAIL},for {JANE}
4,2024-02-08,,40,4,{JANES_MAIL},
5,2024-03-01,zoe-9,50,5,zoe@example.org,
"""
ITEMS = """order_id,line_id,product_id,quantity,unit_price
1,1,p1,1,10
2,1,p1,2,10
3,1,p2,3,10
"""
EVENTS = f"""event_id,event_name,occurred_at,customer_id,session_id,url,properties
1,view,2024-01-05T10:00:00Z,,s1,/a,
2,cart,2024-01-05T10:01:00Z,{JANE},s1,/a?user={JANE},"{{""mail"": ""{JANES_MAIL}""}}"
3,view,2024-01-05T10:02:00Z,cust-1,s2,/b,"{{""a"": 1}}"
"""


@dataclass(frozen=True)
class ErasureShop:
    """A shop, and who may erase its customers."""

    shop: Shop
    persons: Persons
    principal: Principal

    def erase(self, customer_id: str = JANE, mode: str = "anonymise", files: str = "delete") -> Erasure:
        """Erase a person, by way of the inbox."""
        done = self.persons.erase(self.principal, customer_id, mode=mode, files=files)
        self.shop.reader.refresh()
        return done


def erasure_shop(store: ObjectStore, ingest: Callable[[UploadedObject], Any] | None = None) -> ErasureShop:
    """An empty shop on a store; ``ingest`` stands in for its own one."""
    shop = shop_on(store)
    uploads = Uploads(
        inbox=store,
        lake=store,
        reader_of=lambda tenant: shop.reader,
        announce=ingest or shop.ingest,
        cursors=Cursors(b"a secret of the tests, 32 bytes."),
        rules=UploadRules(bucket="inbox", write_wait_seconds=0.1 if ingest else 5.0),
        read_options=frozenset(field.name for field in fields(ReadOptions)),
    )
    principal = Principal(TENANT, "kdef", frozenset(SCOPES))
    return ErasureShop(shop, Persons(store, uploads, lambda tenant: shop.reader), principal)


def filled(erasures: ErasureShop) -> ErasureShop:
    """The same shop with customers, orders, lines, events and held rows."""
    shop = erasures.shop
    for dataset, text in (("customers", CUSTOMERS), ("orders", ORDERS), ("order_items", ITEMS), ("events", EVENTS)):
        shop.upload(dataset, f"{dataset}.csv", text)
    shop.upload("orders", "again.csv.gz", gzip.compress(ORDERS.replace("call", "ring").encode()))
    shop.upload(
        "orders",
        "held.csv",
        "order_id,ordered_at,customer_id,total,email\n"
        f"6,never,{JANE},60,\n7,2024-03-02,cust-1,70,\n8,also never,cust-1,80,\n9,nor,zoe-9,90,{JANES_MAIL}\n"
        "10,2024-03-02,cust-1,5,\n11,2024-03-02,cust-1,5,\n",
    )
    shop.store.put(f"lake/{TENANT}/answers/one.json", f'{{"email": "{JANES_MAIL}"}}'.encode())
    shop.store.put(
        f"uploads/{TENANT}/{shop.rows('SELECT upload_id FROM teal.uploads LIMIT 1')[0][0]}.json",
        f'{{"expected": {{"key": {{"customer_id": "{JANE}"}}}}}}'.encode(),
    )
    return erasures


def who_mentions(store: ObjectStore, *needles: str) -> set[str]:
    """Keys of all objects, and paths of all files, that hold one of these texts in whatever form we can read them."""
    return {name for name, texts in _everything(store) if any(_holds(texts, needle) for needle in needles)}


def _holds(texts: Iterator[str] | list[str], needle: str) -> bool:
    return any(needle.lower() in text.lower() for text in texts)


def _everything(store: ObjectStore) -> Iterator[tuple[str, list[str]]]:
    duck = open_duck(memory_limit_mb=512, threads=2)
    bodies = {info.key: store.get(info.key)[0] for info in store.list("")}
    if isinstance(store, FolderStore):
        # Former versions too, which lie in a hidden folder.
        bodies |= {str(path): path.read_bytes() for path in Path(store.uri).rglob("*") if path.is_file()}
    with TemporaryDirectory() as folder:
        for number, (name, body) in enumerate(bodies.items()):
            path = Path(folder) / f"object-{number}"
            path.write_bytes(body)
            texts = [body.decode("latin-1"), body.replace(b"\0", b"").decode("utf-8", "replace")]
            if body[:2] == b"\x1f\x8b":
                texts.append(gzip.decompress(body).decode())
            if body[:4] == b"PAR1":
                texts += _rows(duck, f"read_parquet({literal(str(path))})")
            if body[8:12] == b"DUCK":
                texts += _tables(duck, path)
            yield name, texts


def _tables(duck: Duck, path: Path) -> list[str]:
    """Everything in a catalog: its strings are compressed in the file."""
    duck.execute(f"ATTACH {literal(str(path))} AS looked_at (TYPE duckdb, READ_ONLY, BLOCK_SIZE {BLOCK_BYTES})")
    try:
        names = duck.execute("SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'looked_at'")
        return [text for schema, name in names for text in _rows(duck, f"looked_at.{schema}.{quoted(name)}")]
    finally:
        duck.detach("looked_at")


def _rows(duck: Duck, source: str) -> list[str]:
    return [str(row) for row in duck.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {source}")]


def rollups_of(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """Every rollup, added up: what says nothing is left out."""
    found = {}
    for name in ROLLUPS:
        with shop.reader.pin() as lake:
            columns = lake.duck.columns(f"teal.{name}")
        numbers = [c for c, kind in columns.items() if kind.startswith(("DECIMAL", "BIGINT", "HUGEINT", "INTEGER"))]
        sums = [f"sum({quoted(c)}) AS {quoted(c)}" for c in numbers]
        others = [quoted(c) for c in columns if c not in numbers]
        some = " OR ".join(f"{quoted(c)} <> 0" for c in numbers) or "true"
        summed = f"SELECT {', '.join([*others, *sums])} FROM teal.{name} GROUP BY ALL"
        found[name] = shop.rows(f"FROM ({summed}) WHERE {some} ORDER BY ALL")
    return found


def rebuilt(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """The same after all rollups were made anew from the facts."""
    shop.writer.commit("test", lambda change: rebuild_rollups(change, "UTC"))
    return rollups_of(shop)
