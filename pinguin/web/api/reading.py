"""What a program sent, strictly: the query of an address and a JSON body as structs, every wrong field named."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, get_type_hints

import msgspec
from litestar.exceptions import ClientException
from msgspec import inspect

from pinguin.errors import InvalidInput
from pinguin.fields import convert, in_words
from pinguin.web.service import Req

T = TypeVar("T", bound=msgspec.Struct)

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Between these lies every moment that may be asked for."""


class Query(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What an address may say after its `?`; each name at most once."""


class NoQuery(Query, frozen=True):
    """Nothing."""


class Body(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a request may send, as JSON."""


class NoBody(Body, frozen=True):
    """Nothing, or an empty object."""


def query(request: Req, kind: type[T]) -> T:
    """Raises `InvalidInput` with every wrong name."""
    sent: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        sent.setdefault(name, []).append(value)
    hints = get_type_hints(kind, include_extras=True)
    fields = {each.encode_name: hints[each.name] for each in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, texts in sent.items():
        try:
            if name not in fields:
                raise InvalidInput({"": f"is not understood here; there are {', '.join(fields) or 'none'}"})
            values[name] = _values(texts, fields[name])
        except InvalidInput as error:
            wrong[name[:60]] = error.fields[""]
    if wrong:
        raise InvalidInput(wrong)
    return convert(values, kind)


def _values(texts: Sequence[str], kind: Any) -> Any:
    found = _plain(kind)
    if isinstance(found, inspect.ListType):
        return [_value(text, str) for text in texts]
    if len(texts) > 1:
        raise InvalidInput({"": "is given twice"})
    return _value(texts[0], kind)


def _value(text: str, kind: Any) -> Any:
    if _CONTROL.search(text):
        raise InvalidInput({"": "must not contain control characters"})
    if isinstance(_plain(kind), inspect.DateTimeType):
        text = text.replace(" ", "+")  # a plus that nobody escaped
    try:
        value = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput({"": in_words(str(error), kind)}) from None
    if isinstance(value, datetime) and not FIRST <= value <= LAST:
        raise InvalidInput({"": "must lie between the years 1970 and 9000"})
    return value


def _plain(kind: Any) -> inspect.Type:
    """Below annotations and `| None`."""
    found = inspect.type_info(kind)
    while isinstance(found, inspect.Metadata | inspect.UnionType):
        if isinstance(found, inspect.UnionType):
            found = next(each for each in found.types if not isinstance(each, inspect.NoneType))
        else:
            found = found.type
    return found


async def body(request: Req) -> dict[str, Any]:
    """The JSON object that was sent; nothing at all is an empty one. Raises 400, 415 and `InvalidInput`."""
    raw = await request.body()
    if not raw:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/merge-patch+json"):
        raise ClientException("Only JSON is taken here: Content-Type: application/json.", status_code=415)
    try:
        sent = msgspec.json.decode(raw)
        twice = next(_given_twice(_with_all_members(raw), ""), None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ClientException(f"The body is no JSON: {_where(error)}.", status_code=400) from None
    if not isinstance(sent, dict):
        raise InvalidInput({"body": "must be a JSON object"})
    if twice:
        raise InvalidInput({twice: "is given twice; leave one of them"})
    wrong = {name: "must not contain control characters" for name, value in sent.items() if _has_control(value)}
    if wrong:
        raise InvalidInput(wrong)
    return sent


def _with_all_members(raw: bytes) -> Any:
    """The document with tuples of pairs for objects: in a dict the last of two members of one name would win."""
    return json.loads(raw.decode(), object_pairs_hook=tuple, parse_int=str, parse_float=str, strict=False)


def _given_twice(value: Any, path: str) -> Iterator[str]:
    """The names of members that are there twice: `options.headers.X-Key`."""
    if isinstance(value, list):
        for each in value:
            yield from _given_twice(each, path)
    if isinstance(value, tuple):
        names = [name for name, _ in value]
        yield from (f"{path}{name[:60]}" for name, count in Counter(names).items() if count > 1)
        for name, item in value:
            yield from _given_twice(item, f"{path}{name[:60]}.")


def _where(error: Exception) -> str:
    """Where it went wrong, without what was sent: that may be a secret."""
    found = re.search(r"byte \d+", str(error))
    return f"it ends to be that at {found[0]}" if found else "it is cut off, or not UTF-8"


def _has_control(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_CONTROL.search(value))
    if isinstance(value, Mapping):
        return any(map(_has_control, value)) or any(map(_has_control, value.values()))
    return isinstance(value, Sequence) and any(map(_has_control, value))


def merged(stored: Any, patch: Any) -> Any:
    """`stored` with a merge patch (RFC 7396) laid over it: null takes a member away."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(stored) if isinstance(stored, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found
