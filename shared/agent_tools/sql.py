"""SQL as a tool: one SELECT, asked as over HTTP, by keys with the scope ``sql``."""

from __future__ import annotations

from shared.agent_tools.base import Call, Paged, Tool, ToolResult, answer_to, parameters_of
from shared.ask_sql import AskSql
from shared.describe_lake import SQL_SCOPE
from shared.stranger_sql.ad_hoc import SqlQuestion


def sql_tools(ask_sql: AskSql) -> list[Tool]:
    """Running SQL."""

    def run(call: Call) -> ToolResult:
        own, page = call.apart(Paged)
        question, snapshot = ask_sql.find(
            call.principal.tenant,
            SqlQuestion.model_validate(own),
            cursor=page.cursor,
            counts_bytes=call.principal.limits.counts_bytes,
            **page.place,
        )
        return answer_to(ask_sql.ask, call, question, page, snapshot=snapshot, was_newest=page.snapshot is None)

    return [
        Tool(
            "run_sql",
            "Run SQL",
            "Run one SELECT in DuckDB's dialect over the datasets that describe_lake shows. Values go into parameters: "
            "WHERE country = $country. EXPLAIN before the SELECT gives its plan. Use a question's tool where one fits.",
            parameters_of(SqlQuestion, Paged),
            run,
            frozenset({SQL_SCOPE}),
        )
    ]
