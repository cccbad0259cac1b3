"""The HTTP API as a Google Cloud Function (``FUNCTION_USE_ASGI=true``): translates, decides nothing.

Nothing is opened at import: gunicorn forks after it, and DuckDB's threads do not survive a fork.
"""

from __future__ import annotations

from typing import Any

import functions_framework.aio
from starlette.requests import Request

from shared.bootstrap import api, start

start()


@functions_framework.aio.http
async def query(request: Request) -> Any:
    """The application is the response: the framework calls it with this very request."""
    return api()
