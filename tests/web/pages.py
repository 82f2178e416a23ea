"""The pages: which there are, the forms in them, and what stands beside a field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute


def routes(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """(method, path, handler) of every route."""
    for route in app.routes:
        assert isinstance(route, HTTPRoute), f"{route.path}: only HTTP has a gate"
        for handler in route.route_handlers:
            for method in handler.http_methods - {"OPTIONS"}:
                yield str(method), route.path_format, handler


def addresses(app: Litestar, method: str) -> list[str]:
    """Of all pages, with 1 for each number."""
    found = {path for each, path, _ in routes(app) if each == method and not re.search(r"\{(?!\w*_id)", path)}
    return sorted(re.sub(r"\{[^}]*\}", "1", path) for path in found)


def asked(app: Litestar) -> list[str]:
    """Pages that answer at once: streams do not end."""
    return [path for path in addresses(app, "GET") if not re.fullmatch(r"/live/(list|dashboard|monitors/1)", path)]


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    """The posting forms of a page, filled in as a browser would send them, by each of their buttons."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._form: Form | None = None
        self._select, self._area = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method") == "post":
            self._form = Form(given["action"])
            self.found.append(self._form)
        if self._form is None:
            return
        name, kind = given.get("name", ""), given.get("type", "")
        if "formaction" in given:
            self.found.append(Form(given["formaction"], self._form.fields))
        elif name and tag == "input" and (kind not in ("checkbox", "radio") or "checked" in given):
            self._form.fields[name] = given.get("value", "on")
        elif name and tag in ("input", "button", "textarea"):
            self._form.fields.setdefault(name, given.get("value", ""))
            self._area = name if tag == "textarea" else ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in self._form.fields):
            self._form.fields[self._select] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._form and self._area:
            self._form.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "textarea":
            self._area = ""


def beside(page: str, field: str) -> str:
    """The error that stands beside a field; the field points to it."""
    found = re.search(rf'id="f-{field}-error">([^<]*)<', page)
    assert found is not None, f"no error beside {field}"
    assert f'aria-describedby="f-{field}-error' in page
    return found[1].replace("&#39;", "'")
