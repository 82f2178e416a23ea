"""Templates that users write: Jinja's sandbox, and far less than it allows. Nothing is called, nothing grows unseen.

Only the syntax of `ALLOWED` is taken; attributes are the fields of our structs and the keys of their dicts alone; every
loop, filter and `~` is paid for from a budget (`budget.py`), so that a template ends soon wherever it runs. TRAP 19
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from jinja2 import ChainableUndefined, StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pinguin.alerts import filters
from pinguin.alerts.budget import Budget, TooMuch
from pinguin.errors import InvalidInput

MOST_SOURCE = 16_384
MOST_OUTPUT = 65_536
"""Characters of a template, and of what it makes."""

ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.With, nodes.Name,
    nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Test,
    nodes.Filter, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Concat,
)  # fmt: skip
_FILE = "<template>"
_LOOP = {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"}
_MOST_NUMBER = 10**15


class TemplateFailed(Exception):
    """A template failed with the facts of this message. Its text says where and why."""


class Environment(ImmutableSandboxedEnvironment):
    """Jinja as far as a template of a user goes."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, finalize=filters.finalize, optimized=False, autoescape=False)
        self.globals = {}
        self.filters = filters.all_filters()
        self.tests = filters.all_tests()

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A field, a key, or the item at a place; never an attribute of Python's own."""
        if isinstance(obj, Undefined):
            return obj if isinstance(obj, ChainableUndefined) else self.undefined(obj=obj, name=argument)
        if isinstance(obj, msgspec.Struct):
            if argument in obj.__struct_fields__:
                return getattr(obj, argument)
            known = ", ".join(obj.__struct_fields__)
            raise TemplateRuntimeError(f"there is no {str(argument)[:40]!r} here; there are {known}")
        if isinstance(obj, Mapping):
            return obj[argument] if isinstance(argument, str) and argument in obj else ChainableUndefined()
        if isinstance(obj, LoopContext) and argument in _LOOP:
            return getattr(obj, argument)
        if isinstance(obj, list | tuple | str) and isinstance(argument, int | slice):
            return self._at(obj, argument)
        raise TemplateRuntimeError(f"{str(argument)[:40]!r} cannot be taken from a {type(obj).__name__}")

    def _at(self, sequence: Any, place: int | slice) -> Any:
        try:
            return sequence[place]
        except (IndexError, ValueError):
            return ChainableUndefined()

    def call(__self, *_: Any, **__: Any) -> Any:  # noqa: N805 -- as Jinja names it
        raise TemplateRuntimeError("nothing can be called here; filters can do it: items|length")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Numbers, and texts and lists with +; all of them bounded."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            filters.budget_of(context).weigh(left + right)
            return left + right
        for number in (left, right):
            if not isinstance(number, int | float) or abs(number) > _MOST_NUMBER:
                raise TemplateRuntimeError(f"{operator} is for numbers; ~ joins texts")
        return self.binop_table[operator](left, right)


_ENVIRONMENT = Environment()


class UserTemplate:
    """A template that was found good."""

    def __init__(self, compiled: Template) -> None:
        self._compiled = compiled

    def render(self, variables: Mapping[str, Any]) -> str:
        """At most `MOST_OUTPUT` characters. Raises `TemplateFailed`."""
        parts: list[str] = []
        size = 0
        try:
            for part in self._compiled.generate({**variables, filters.BUDGET: Budget()}):
                parts.append(part)
                size += len(part)
                if size > MOST_OUTPUT:
                    raise TooMuch(f"makes more than {MOST_OUTPUT:,} characters")
        except Exception as error:  # whatever a user's template comes to must not lose the message
            raise TemplateFailed(_where(error) + _in_words(error)) from None
        return "".join(parts)


@lru_cache(maxsize=256)
def parsed(source: str, variables: frozenset[str]) -> UserTemplate:
    """`source` ready to render with these variables. Raises `InvalidInput({"template": …})` with the line's number."""
    if len(source) > MOST_SOURCE:
        raise InvalidInput({"template": f"must have at most {MOST_SOURCE:,} characters; it has {len(source):,}"})
    try:
        tree = _ENVIRONMENT.parse(source)
        _allowed(tree, variables)
        _rewritten(tree)
        return UserTemplate(_compiled(tree))
    except TemplateSyntaxError as error:
        raise InvalidInput({"template": f"line {error.lineno}: {error.message}"}) from None
    except TemplateError as error:
        raise InvalidInput({"template": str(error.message)}) from None
    except (RecursionError, SyntaxError, MemoryError, ValueError, OverflowError):
        raise InvalidInput({"template": "is nested too deeply, or has too long a number"}) from None


def _compiled(tree: nodes.Template) -> Template:
    return Template.from_code(_ENVIRONMENT, _ENVIRONMENT.compile(tree, filename=_FILE), {})


def _allowed(tree: nodes.Template, variables: frozenset[str]) -> None:
    """Raises TemplateSyntaxError."""
    set_here = {node.name for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param")} | {"loop"}
    for node in _all(tree):
        if wrong := _wrong(node, variables | set_here):
            raise TemplateSyntaxError(wrong, node.lineno)


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child)


def _wrong(node: nodes.Node, variables: frozenset[str]) -> str | None:
    if not isinstance(node, ALLOWED):
        word = "a call" if isinstance(node, nodes.Call) else f"{type(node).__name__.lower()!r}"
        return f"{word} is not allowed here: there are if, for, set, filters and tests"
    if isinstance(node, nodes.For) and node.recursive:
        return "a loop must not be recursive"
    if isinstance(node, nodes.Name) and (node.name.startswith("_") or node.name not in variables):
        return f"there is no {node.name!r}; there are {', '.join(_public(variables - {'loop'}))}"
    if isinstance(node, nodes.Filter) and (node.name.startswith("_") or node.name not in _ENVIRONMENT.filters):
        return f"there is no filter {node.name!r}; there are {', '.join(_public(_ENVIRONMENT.filters))}"
    if isinstance(node, nodes.Test) and node.name not in filters.TESTS:
        return f"there is no test {node.name!r}; there are {', '.join(filters.TESTS)}"
    if isinstance(node, nodes.Filter | nodes.Test) and (node.dyn_args is not None or node.dyn_kwargs is not None):
        return "* and ** are not allowed here"
    return None


def _public(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("_"))


def _rewritten(node: nodes.Node) -> int:
    """Put the counting in, from the inside out; the number of nodes below, which a loop repeats."""
    size = 1 + sum(_rewritten(child) for child in node.iter_child_nodes())
    for name in node.fields:
        value = getattr(node, name)
        if isinstance(value, list):
            value[:] = [_paid(item) for item in value]
        else:
            setattr(node, name, _paid(value))
    if isinstance(node, nodes.For):
        node.iter = _filter(node.iter, "_counted", [nodes.Const(size, lineno=node.lineno)])
    elif isinstance(node, nodes.Compare | nodes.Operand):
        node.expr = _filter(node.expr, "_weighed")
    return size


def _paid(value: Any) -> Any:
    """What makes something larger of its parts, made by a filter that takes what it weighs."""
    if isinstance(value, nodes.Concat):
        return _filter(value.nodes[0], "_concatenated", value.nodes[1:])
    if isinstance(value, nodes.List | nodes.Dict) or (isinstance(value, nodes.Tuple) and value.ctx == "load"):
        return _filter(value, "_weighed")
    return value


def _filter(node: Any, name: str, arguments: Sequence[nodes.Expr] = ()) -> nodes.Filter:
    made = nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)
    return made.set_environment(_ENVIRONMENT)  # type: ignore[return-value]


def _where(error: BaseException) -> str:
    """`line 3: `, from the traceback that Jinja has put the template's own lines into."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line else ""


def _in_words(error: BaseException) -> str:
    if isinstance(error, TooMuch):
        return str(error)
    text = error.message if isinstance(error, TemplateError) else str(error)
    return (text or type(error).__name__)[:300]
