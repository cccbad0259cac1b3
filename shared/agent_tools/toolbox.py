"""All tools of an installation, as one credential has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from shared.agent_tools.base import Tool
from shared.agent_tools.lake import lake_tools
from shared.agent_tools.questions import OWN, PublishedTools, question_tools
from shared.agent_tools.sql import sql_tools
from shared.ask_sql import AskSql
from shared.describe_lake import DescribeLake
from shared.errors import ForbiddenError, NotFoundError
from shared.keys import Principal

ABOUT = (
    "Questions about the data of one company, answered from its lake; nothing can be changed. Prefer a question's tool "
    "to SQL where one fits: its numbers are defined (see definition) and fast. Call describe_lake before writing SQL. "
    "Amounts are exact decimals, written as text. An answer is a page: where next is not null, call again with cursor "
    "set to it and all else the same. snapshot and as_of ask the lake as it was."
)
"""What a client is told of all of them."""


class UnknownToolError(NotFoundError):
    """No tool of that name; the message names the nearest one."""

    code = "unknown_tool"


@dataclass(frozen=True)
class Toolbox:
    """Tools by name; those of published questions are looked for when they are needed."""

    describe: DescribeLake
    ask_sql: AskSql

    @cached_property
    def fixed(self) -> dict[str, Tool]:
        """Those that every tenant has; made at the first call."""
        tools = lake_tools(self.describe) + sql_tools(self.ask_sql) + question_tools(self.ask_sql.ask)
        return {tool.name: tool for tool in tools}

    @property
    def own(self) -> PublishedTools:
        """Those that a tenant made."""
        return PublishedTools(self.ask_sql.ask, self.describe.published)

    def listed(self, principal: Principal, wanted: Collection[str] = ()) -> list[Tool]:
        """The tools that this credential may call; of these the ``wanted``: names, or how they begin (``sales``).

        Raises UnknownToolError for a wanted one that is not there.
        """
        found = [tool for tool in self.fixed.values() if tool.is_open_to(principal)]
        found += self.own.listed(principal) if "read" in principal.scopes else []
        for name in wanted:
            if not any(_is(tool, name) for tool in found):
                raise UnknownToolError(f"There is no tool {name[:63]}.{_hint(name, found)}")
        return [tool for tool in found if not wanted or any(_is(tool, name) for name in wanted)]

    def find(self, principal: Principal, name: str) -> Tool:
        """The tool of that name. Raises UnknownToolError, ForbiddenError."""
        tool = self.fixed.get(name) or (self.own.find(principal, name) if name.startswith(OWN) else None)
        if tool is None:
            raise UnknownToolError(f"There is no tool {name[:63]}.{_hint(name, self.listed(principal))}")
        if not tool.is_open_to(principal):
            needed = " or ".join(sorted(tool.scopes))
            raise ForbiddenError(f"This key does not have the scope {needed}.", scope=needed)
        return tool


def _is(tool: Tool, name: str) -> bool:
    return tool.name == name or tool.name.startswith(f"{name}_")


def _hint(name: str, tools: Iterable[Tool]) -> str:
    near = get_close_matches(name, [tool.name for tool in tools], 1, 0.6)
    return f" Did you mean {near[0]}?" if near else ""
