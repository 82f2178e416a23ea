"""OpenAPI 3.1 of the operations, made of their structs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from pinguin.people import Role
from pinguin.web import problems
from pinguin.web.api.operation import JSON, Operation
from pinguin.web.api.reading import NoBody

_REF = "#/components/schemas/{name}"

ABOUT = """Everything that a page of Pinguin does, for programs. Send an API token (made on the page of your account):
`Authorization: Bearer pgn_…`. Its scope and its person's role say what it may: a viewer looks, an editor changes
monitors, incidents, maintenance and channels, an owner people too (with a token of the scope people)."""


class Problem(msgspec.Struct, kw_only=True):
    """What is wrong (RFC 9457). errors: of each wrong field, what is wrong with it and how to mend it."""

    type: str
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    errors: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


_WHY: Mapping[int, str] = {
    304: "It is as it was: nothing is sent again",
    400: "The request makes no sense: its body is no JSON, or its Host is none",
    401: "No token, or one that is wrong, revoked or expired",
    403: "The token, or its person, may not do this",
    404: "There is no such thing (any more)",
    409: "Somebody else changed it meanwhile, or the same request is under way",
    412: "It was changed since the ETag in If-Match was read",
    413: "The body is too large",
    415: "Only JSON is taken",
    422: "Fields are wrong; `errors` names each",
    429: "Too many requests; Retry-After says when to go on",
    503: "The database does not answer; try again",
}


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    ordered = list(operations)
    kinds = [kind for each in ordered for kind in _structs(each)]
    _, components = msgspec.json.schema_components([*dict.fromkeys(kinds), Problem], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for each in ordered:
        paths.setdefault(each.address, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pinguin", "version": version, "description": " ".join(ABOUT.split())},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": group} for group in dict.fromkeys(each.group for each in ordered)],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {
                str(code): {"description": words, "content": {problems.TYPE: {"schema": _ref(Problem)}}}
                for code, words in _WHY.items()
                if code >= 400
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "an API token: pgn_…"}},
        },
    }


def _structs(each: Operation) -> list[Any]:
    kinds = [each.body, each.answer if each.media == (JSON,) else None]
    return [kind for kind in kinds if kind is not None and kind not in (NoBody, type(None))]


def _operation(each: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": each.name,
        "summary": summary(each),
        "description": f"{each.words} (Role: {each.least_role}; scope: {scope_of(each)}.)",
        "tags": [each.group],
        "parameters": [*_path(each), *_query(each), *_headers(each)],
        "responses": _responses(each),
    }
    if each.body is not None:
        schema = {"type": "object", "maxProperties": 0} if each.body is NoBody else _ref(each.body)
        found["requestBody"] = {"required": _required(each), "content": {JSON: {"schema": schema}}}
    return found


def summary(each: Operation) -> str:
    """Its first sentence."""
    return each.words.partition(". ")[0].rstrip(".")


def scope_of(each: Operation) -> str:
    """The least that a token has to be for."""
    if each.opt.get("scope") == "metrics":
        return "metrics"
    if each.least_role is Role.OWNER:
        return "people"
    return "read" if each.method == "GET" and each.least_role is Role.VIEWER else "write"


def _required(each: Operation) -> bool:
    if each.body is None or each.body is NoBody:
        return False
    return any(field.required for field in msgspec.structs.fields(each.body))


def _ref(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


def _path(each: Operation) -> list[dict[str, Any]]:
    number = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    return [
        {"name": name, "in": "path", "required": True, "schema": number if kind == "int" else text}
        for name, kind in each.parameters
    ]


@cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _query(each: Operation) -> list[dict[str, Any]]:
    found = []
    for field in msgspec.structs.fields(each.query):
        (schema,), components = msgspec.json.schema_components([_hints(each.query)[field.name]], ref_template=_REF)
        schema = _inlined(schema, components)
        words = schema.pop("description", "")
        schema = _without_null(schema)
        if not field.required and field.default not in (None, "", msgspec.NODEFAULT):
            schema["default"] = msgspec.to_builtins(field.default)
        parameter = {"name": field.encode_name, "in": "query", "required": field.required, "schema": schema}
        found.append({**parameter, **({"description": words} if words else {})})
    return found


def _inlined(schema: Any, components: Mapping[str, Any]) -> Any:
    if isinstance(schema, dict):
        if name := schema.get("$ref"):
            return {**components[name.rpartition("/")[2]]}
        return {key: _inlined(value, components) for key, value in schema.items()}
    return [_inlined(item, components) for item in schema] if isinstance(schema, list) else schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What is null is left out of an address."""
    parts = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    if len(parts) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name not in ("anyOf", "default")}, **parts[0]}


def _headers(each: Operation) -> list[dict[str, Any]]:
    text = {"type": "string", "maxLength": 255}
    found = []
    if each.etag and each.method == "GET":
        found.append(("If-None-Match", "an ETag: 304, if it is still that"))
    if each.if_match:
        found.append(("If-Match", "an ETag: 412, if somebody edited it since"))
    if each.method == "POST":
        found.append(("Idempotency-Key", "done once, however often this is sent within a day"))
    return [
        {"name": name, "in": "header", "required": False, "schema": text, "description": words} for name, words in found
    ]


def _responses(each: Operation) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done" if each.status == 204 else "What was asked for"}
    if each.status != 204:
        schema = _ref(each.answer) if each.media == (JSON,) else {}
        good["content"] = {kind: {"schema": schema} for kind in each.media}
    if each.etag:
        good["headers"] = {"ETag": {"schema": {"type": "string"}}}
    if each.status == 201:
        good.setdefault("headers", {})["Location"] = {"schema": {"type": "string"}}
    found = {str(each.status): good}
    if each.etag and each.method == "GET":
        found["304"] = {"description": _WHY[304]}
    for code in (400, *((413, 415) if each.body is not None else ()), 401, 403, 404, 409, 412, 422, 429, 503):
        found[str(code)] = {"$ref": f"#/components/responses/{code}"}
    return found
