"""``teal ask``: a question of a lake, or of an installation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

import click

from shared import bootstrap
from shared.cli.options import api_at, json_option, key_option, pair, tenant_option, url_option
from shared.errors import UnknownQuestionError
from shared.remote import RemoteProblemError, problem_from
from shared.terminal import err, out, show

Pairs = Sequence[tuple[str, str]]


@click.command(context_settings={"ignore_unknown_options": True}, short_help="Ask a question.")
@click.argument("question")
@click.argument("parameters", nargs=-1)
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["table", "json", "csv"]),
    help="Default: a table in a terminal, JSON elsewhere.",
)
@click.option("--param", "named", multiple=True, help="A parameter as name=value; plain name=value works too.")
@json_option
@tenant_option
@url_option
@key_option
def ask(  # noqa: PLR0917 - click passes every option by name
    question: str,
    parameters: tuple[str, ...],
    wanted: str | None,
    named: tuple[str, ...],
    as_json: bool,
    tenant: str,
    url: str,
    key: str,
) -> None:
    """Ask a question, e.g. teal ask sales/by-period grain=month from=2011-01-01.

    teal ask questions lists them all.
    """
    if as_json and wanted not in (None, "json"):
        raise click.UsageError(f"--json and --format {wanted} cannot both be.")
    wanted = "json" if as_json else wanted
    api = api_at(url, key)

    def get(path: str, told: Pairs) -> str:
        return api.get(path, told) if api else _answered_here(tenant, path, told)

    pairs = [pair(parameter) for parameter in (*parameters, *named)]
    path = question.strip("/").removeprefix("v1/")
    try:
        answer = get(path, [*pairs, ("format", "csv")] if wanted == "csv" else pairs)
    except RemoteProblemError as problem:
        if problem.details["code"] != "not_found":
            raise
        raise _unknown(path, get) from problem
    if wanted == "table" or (wanted is None and out.is_terminal):
        _show(answer)
    else:
        click.echo(answer)


def _answered_here(tenant: str, path: str, pairs: Pairs) -> str:
    """The body of the application's own answer, with a key that lives for this one question."""
    import asyncio

    import httpx2

    made = bootstrap.keys().create(
        tenant, ("read",), label="teal ask", expires_at=datetime.now(UTC) + timedelta(minutes=10)
    )

    async def get() -> httpx2.Response:
        transport = httpx2.ASGITransport(bootstrap.api())
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"Authorization": f"Bearer {made.token}"}
            answer = await client.get(f"/v1/{path}", params=httpx2.QueryParams(list(pairs)), headers=headers)
            if answer.status_code != 303:
                return answer
            kept = answer.headers["Location"]
            # A folder's signed URLs are answered by this very application, a bucket's by the bucket.
            return await client.get(kept) if kept.startswith(("/", "http://localhost/")) else httpx2.get(kept)

    try:
        answer = asyncio.run(get())
    finally:
        # Unlike a revoked key it leaves nothing to list.
        bootstrap.lake_store().delete(f"keys/{made.key.key_id}.json")
    if answer.status_code >= 400:
        raise problem_from(answer)
    return answer.text


def _unknown(path: str, get: Callable[[str, Pairs], str]) -> UnknownQuestionError:
    names = [one["name"] for one in json.loads(get("questions", []))["questions"]]
    near = get_close_matches(path, names, 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}."
    return UnknownQuestionError(f"There is no question {path}. {hint}")


def _show(answer: str) -> None:
    told = json.loads(answer)
    rows = told.get("rows")
    if not isinstance(rows, list):
        out.print_json(answer)
        return
    show(rows, as_json=False, nothing="No rows.")
    if told.get("next"):
        err.print(f"There are more: cursor={told['next']}", soft_wrap=True, markup=False, highlight=False)
