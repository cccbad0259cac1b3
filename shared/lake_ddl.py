"""A lake's schema as CREATE TABLE statements with comments, which people and language models read best; text alone."""

from __future__ import annotations

import re
from collections.abc import Collection

from shared.describe_lake import SQL_RULE, ColumnShown, DatasetShown, LakeSchema

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


def ddl_of(schema: LakeSchema) -> str:
    """The datasets as tables, after what holds for all of them. It is SQL: whoever runs it has the tables, empty."""
    told = [f"Snapshot {schema.snapshot}, committed {schema.committed_at:%Y-%m-%dT%H:%M:%SZ}."]
    if schema.is_partial:
        told.append("This key sees a part of the rows.")
    if schema.sql is not None:
        told.append(SQL_RULE)
        told.append(f"At most {schema.sql.max_seconds:g} seconds a query and {schema.sql.page_rows:,} rows a page.")
    told += [f"Published question my/{name}: {title}" for name, title in schema.published]
    tables = ("\n" + _table(dataset, schema.reserved) for dataset in schema.datasets)
    return "\n".join([*map(_comment, told), *tables]) + "\n"


def _table(dataset: DatasetShown, reserved: Collection[str]) -> str:
    def name(text: str) -> str:
        return text if _PLAIN.match(text) and text not in reserved else '"' + text.replace('"', '""') + '"'

    time = f"A row happens at {dataset.time_column}." if dataset.time_column else ""
    about = _comment(f"{dataset.description} {time}")
    columns = [f"    {name(one.name)} {one.type}, {_comment(_said(one))}".rstrip(" -") for one in dataset.columns]
    key = f"    PRIMARY KEY ({', '.join(map(name, dataset.key))})"
    return "\n".join([*filter(None, [about.rstrip(" -")]), f"CREATE TABLE {name(dataset.name)} (", *columns, key, ");"])


def _said(column: ColumnShown) -> str:
    """What is worth knowing of a column, on one line."""
    if column.masked:
        return "empty in every row for this key"
    told = [
        column.description.rstrip("."),
        f"one of {', '.join(column.allowed)}" if column.allowed else "",
        f"references {column.references}" if column.references else "",
        "personal" if column.personal else "",
    ]
    return "; ".join(filter(None, told))


def _comment(text: str) -> str:
    # A line break in somebody's description would end the comment.
    return f"-- {' '.join(text.split())}"
