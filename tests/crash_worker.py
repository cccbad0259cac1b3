"""A process that ingests uploads until it is done or killed: ``python -m tests.crash_worker SPEC.json TODO.json DONE``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from shared.errors import AppError
from shared.values import UploadedObject
from tests.servers import open_store
from tests.shop import shop_on


def main(spec: str, todo: str, done: str) -> None:
    """Bring in every upload of the list; what failed for now comes again at the end, as a queue would deliver it."""
    shop = shop_on(open_store(json.loads(Path(spec).read_text())))
    waiting = [UploadedObject(**told) for told in json.loads(Path(todo).read_text())]
    while waiting:
        upload = waiting.pop(0)
        try:
            shop.ingest(upload)
        except AppError as error:
            if not error.again:
                raise
            waiting.append(upload)
            continue
        with Path(done).open("a") as file:
            file.write(upload.key + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
