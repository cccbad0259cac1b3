"""The HTTP API on AWS Lambda behind API Gateway: translates, decides nothing."""

from __future__ import annotations

from mangum import Mangum

from shared.bootstrap import api, start_early

start_early()
handle = Mangum(api(), lifespan="off")
