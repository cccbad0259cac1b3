"""Inside one file a key may come once: which rows are duplicates, and which contradict each other."""

from __future__ import annotations

from shared.datasets.contract import Contract
from shared.duck import Duck, quoted
from shared.steps.rules import held_as


def repeated(duck: Duck, contract: Contract, table: str) -> int:
    """Put keys that come more than once into temporary table ``repeated``; how many there are."""
    key = ", ".join(quoted(name) for name in contract.key)
    # Numbers are told apart faster than texts; where no two are equal, no two keys are.
    numbers = f"SELECT 1 FROM {table} WHERE _held IS NULL GROUP BY hash({key}) HAVING count(*) > 1"
    if not duck.value(f"SELECT EXISTS ({numbers})"):
        return 0
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS "
        f"SELECT {key} FROM {table} WHERE _held IS NULL GROUP BY {key} HAVING count(*) > 1"
    )
    return int(duck.value("SELECT count(*) FROM repeated"))


def judge_uniqueness(duck: Duck, contract: Contract, table: str) -> None:
    """Inside one file a key may come once. Exact copies and older versions are duplicates; contradictions are held."""
    if not repeated(duck, contract, table):
        return
    key = ", ".join(quoted(name) for name in contract.key)
    everything = ", ".join([*(quoted(column.name) for column in contract.columns), "_deleted"])
    updated = quoted(contract.updated_column) if contract.updated_column else "NULL"
    # The newest of a key wins; another row that is equally new and says something else makes all of them doubtful.
    duck.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE rivals AS
        WITH placed AS (
            SELECT
                rowid AS place_in_file,
                {key},
                md5(row({everything})::VARCHAR) AS content,
                {updated} AS updated,
                first(md5(row({everything})::VARCHAR)) OVER newest AS winner,
                first({updated}) OVER newest AS winner_updated,
                row_number() OVER newest AS place
            FROM {table} SEMI JOIN repeated USING ({key})
            WHERE _held IS NULL
            WINDOW newest AS (PARTITION BY {key} ORDER BY {updated} DESC NULLS LAST, rowid)
        )
        SELECT
            place_in_file,
            place > 1 AS is_duplicate,
            bool_or(content <> winner AND updated IS NOT DISTINCT FROM winner_updated) OVER (PARTITION BY {key})
                AS is_doubtful
        FROM placed
        """
    )
    first_key = contract.key[0]
    held = held_as(first_key, "unique", f"staged.{quoted(first_key)}::VARCHAR")
    duck.execute(
        f"""
        UPDATE {table} AS staged
        SET _duplicate = is_duplicate AND NOT is_doubtful,
            _held = CASE WHEN is_doubtful THEN {held} END
        FROM rivals
        WHERE rivals.place_in_file = staged.rowid
        """
    )
