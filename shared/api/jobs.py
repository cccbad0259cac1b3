"""Jobs over HTTP: what became of one, the list of them, ending one, and its answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from shared.api.auth import Asker, GuardedRoute
from shared.api.later import error_of, job_reply, told_of
from shared.api.replies import Asked, json_reply, next_link
from shared.jobs import Jobs

JobId = Annotated[str, Path(max_length=200, description="The id of a job.")]


class JobsAsked(Asked):
    """One page of jobs."""

    limit: Annotated[int | None, Field(ge=1, description="Jobs of a page; default 100.")] = None
    cursor: Annotated[str | None, Field(max_length=4096, description="`next` of the page before.")] = None


def job_router(jobs: Jobs) -> APIRouter:
    """What needs `read` or `sql`; a job itself is there for keys with the scope by which it was asked."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=GuardedRoute)

    @router.get("", summary="Jobs, newest first")
    def list_jobs(request: Request, asker: Asker, asked: Annotated[JobsAsked, Query()]) -> Response:
        """Questions that were asked with `Prefer: respond-async`, as far as this key may see their answers."""
        page = jobs.newest(asker, limit=asked.limit, cursor=asked.cursor)
        body = {"jobs": [told_of(job, asker) for job in page.items], "next": page.next}
        return json_reply(request, body, headers=next_link(request, page.next))

    @router.get("/{job_id}", summary="What became of a job")
    def get_job(request: Request, asker: Asker, job_id: JobId) -> Response:
        """queued, running, done (with `result_url`), failed (with `problem`) or cancelled."""
        return job_reply(request, jobs.state(asker, job_id))

    @router.delete("/{job_id}", summary="Cancel a job")
    def cancel_job(request: Request, asker: Asker, job_id: JobId) -> Response:
        """One that waits or runs is ended; one that has ended stays as it is."""
        return job_reply(request, jobs.cancel(asker, job_id))

    @router.get(
        "/{job_id}/result",
        summary="The answer of a job",
        response_class=Response,
        status_code=303,
        responses={303: {"description": "The answer's signed URL."}},
    )
    def get_result(asker: Asker, job_id: JobId) -> Response:
        """303 to a signed URL. Of a job that failed, the problem that asking at once would have answered."""
        job = jobs.state(asker, job_id)
        if job.status == "failed":
            raise error_of(job)
        return RedirectResponse(jobs.url_of(job).url, 303)

    return router
