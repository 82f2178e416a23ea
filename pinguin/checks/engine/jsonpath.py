"""JSONPath (RFC 9535) over answers of others, with an end to how much work a path may be. TRAP 19"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError, JSONPathNode
from jsonpath_rfc9535.filter_expressions import FilterQuery, FunctionExtension, RelativeFilterQuery
from jsonpath_rfc9535.selectors import FilterSelector

MOST_VISITED = 50_000
"""Nodes that one path may visit: a tenth of a second."""

MOST_FOUND = 1000


class TooMuch(Exception):
    """The path visits more of the document than we are ready to. Its text is a sentence's end."""


class Path:
    """A compiled path. singular: whether it leads to one value at most, by how it is written."""

    __slots__ = ("_query", "singular", "source")

    def __init__(self, source: str) -> None:
        """Raises ValueError that says what is wrong with `source`."""
        try:
            self._query = _ENVIRONMENT.compile(source)
        except (JSONPathError, RecursionError, ValueError) as error:
            raise ValueError(f"is not a JSONPath: {_words(error)}") from None
        _refuse_what_may_run_away(self._query.segments)
        self.source = source
        self.singular = self._query.singular_query()

    def values(self, document: Any) -> list[Any]:
        """What the path leads to, the first `MOST_FOUND`. Raises TooMuch."""
        nodes: Iterable[JSONPathNode] = [_Counted(value=document, location=(), parent=None, root=document)]
        for segment in self._query.segments:
            nodes = segment.resolve(nodes)
        try:
            return [node.value for node in islice(nodes, MOST_FOUND)]
        except (JSONPathError, RecursionError):
            raise TooMuch("is nested too deeply") from None


@lru_cache(maxsize=1024)
def path(source: str) -> Path:
    """Raises ValueError that says what is wrong with `source`."""
    return Path(source)


class _Counted(JSONPathNode):
    """Counts its descendants in the one list that they all share."""

    __slots__ = ("_left",)

    def __init__(self, *, left: list[int] | None = None, **rest: Any) -> None:
        super().__init__(**rest)
        self._left = left if left is not None else [MOST_VISITED]

    def new_child(self, value: object, key: int | str, parent: JSONPathNode | None) -> JSONPathNode:
        self._left[0] -= 1
        if self._left[0] < 0:
            raise TooMuch(f"visits more than {MOST_VISITED:,} values; write a narrower path")
        return _Counted(left=self._left, value=value, location=(), parent=None, root=self.root)


class _Environment(JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        # They use an engine that backtracks. `json … matches` is for expressions.
        del self.function_extensions["match"], self.function_extensions["search"]


_ENVIRONMENT = _Environment()


def _refuse_what_may_run_away(segments: Iterable[Any]) -> None:
    """A filter that searches the whole document for each item takes the square of its time, and so on."""
    for segment in segments:
        for selector in segment.selectors:
            if isinstance(selector, FilterSelector):
                _refuse_wide(selector.expression)


def _refuse_wide(expression: Any) -> None:
    if isinstance(expression, FilterQuery):
        if not isinstance(expression, RelativeFilterQuery) or not expression.query.singular_query():
            raise ValueError("may only look at members of the item itself in a filter, such as @.name")
        return
    parts = expression.args if isinstance(expression, FunctionExtension) else ()
    inner = (getattr(expression, name, None) for name in ("expression", "left", "right"))
    for each in (*parts, *inner):
        if each is not None:
            _refuse_wide(each)


def _words(error: Exception) -> str:
    return str(error).partition("\n")[0][:150] or type(error).__name__
