"""An answer that may come later (RFC 7240, `Prefer: respond-async`): a question becomes a job, and the reply is 202.

Where there is no queue the preference is ignored, as the standard lets a server do: the answer comes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastapi import Request
from starlette.responses import Response

from shared.answers.etags import matches
from shared.api.prefer import preference_from
from shared.api.problems import PROBLEMS_PATH, codes
from shared.api.replies import json_reply
from shared.asked import Answer, Asked
from shared.errors import AppError
from shared.job import Job, JobFailedError
from shared.jobs import InvalidIdempotencyKeyError, Jobs
from shared.keys import Principal

ASYNC: dict[str, Any] = {
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "example": "respond-async",
            "description": "`respond-async`: 202 and a job; with `, wait=10` the answer itself if it comes in 10 s.",
        },
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            # Without the preference it is not looked at, so that no schema holds.
            "schema": {"type": "string"},
            "description": "With `respond-async`: the same key (1 to 255 visible ASCII characters) and request give "
            "the same job.",
        },
    ]
}
"""What every question's operation of the OpenAPI document has beside."""

ACCEPTED: dict[str, Any] = {
    "description": "A job: `Location` says where to look, with `Prefer: respond-async`.",
    "content": {"application/json": {}},
}


def is_for_later(request: Request) -> bool:
    """Whether a question of this request is not asked in this process, at least not by who serves the request."""
    jobs: Jobs | None = request.app.state.jobs
    if jobs is None or jobs.queue is None or request.method == "HEAD":
        return False
    return preference_from(request.headers.getlist("prefer")).respond_async


def later(request: Request, asked: Asked, at_once: Callable[[Request, Answer], Response]) -> Response:
    """202 with the job; ``at_once`` replies where the answer comes in the time that the request waits for it.

    Raises as ``Jobs.submit``, and what was wrong with the question where that is known in time.
    """
    jobs: Jobs = request.app.state.jobs
    principal: Principal = request.state.principal
    wanted = preference_from(request.headers.getlist("prefer"))
    keys = request.headers.getlist("idempotency-key")
    if len(keys) > 1 or keys == [""]:
        raise InvalidIdempotencyKeyError("A request has one Idempotency-Key of 1 to 255 characters, or none.")
    route = f"{request.method} {request.scope['route'].path}"
    job = jobs.submit(principal, asked, route=route, idempotency_key="".join(keys))
    if wanted.wait_seconds is not None:
        job = jobs.wait(job, wanted.wait_seconds)
        if job.status == "done":
            answer = jobs.answer(job)
            has_it = matches(asked.if_none_match, answer.etag)
            response = at_once(request, replace(answer, content=None) if has_it else answer)
            response.headers["Preference-Applied"] = f"wait={wanted.wait_seconds}"
            return response
        if job.status == "failed":
            raise error_of(job)
    headers = {"Location": address_of(job), "Preference-Applied": wanted.applied, "Vary": "Prefer"}
    return job_reply(request, job, status=202, headers=headers)


def job_reply(request: Request, job: Job, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A job as it is told to who asks; when to look again while it is open."""
    told = {"Retry-After": "1"} if job.is_open else {}
    return json_reply(
        request, told_of(job, request.state.principal), status=status, headers={**told, **(headers or {})}
    )


def told_of(job: Job, principal: Principal) -> dict[str, Any]:
    """A job as JSON has it; what was asked only for who asked it, and for ``admin``."""
    done = job.done
    told = {
        "job_id": job.job_id,
        "status": job.status,
        "question": job.question,
        "format": job.asked["format"],
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "expires_at": job.expires_at,
        "attempts": job.attempts,
        "snapshot": done.snapshot if done else job.asked["snapshot"],
        "bytes": done and done.bytes,
        "next": done and done.cursor,
        "problem": _problem(job),
        "request": {"parameters": job.asked["parameters"], "limit": job.asked["limit"]}
        if job.is_of(principal)
        else None,
        "status_url": address_of(job),
        "result_url": f"{address_of(job)}/result" if done else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def address_of(job: Job) -> str:
    """Where a job is looked at."""
    return f"/v1/jobs/{job.job_id}"


def error_of(job: Job) -> AppError:
    """What went wrong with a job that failed, as asking at once would have raised it."""
    kind = codes().get(job.problem["code"], JobFailedError)
    return kind(job.problem["detail"], **job.problem["details"])


def _problem(job: Job) -> dict[str, Any] | None:
    if not job.problem:
        return None
    code = job.problem["code"]
    return {**job.problem["details"], "type": PROBLEMS_PATH + code, "code": code, "detail": job.problem["detail"]}
