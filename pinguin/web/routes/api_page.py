"""What the API can do, for people: a table of its operations."""

from __future__ import annotations

from itertools import groupby

from litestar import get
from litestar.response import Template

from pinguin.web.api.openapi import scope_of, summary
from pinguin.web.api.routes import operations
from pinguin.web.pushed import base_url
from pinguin.web.service import Req
from pinguin.web.templating import render


@get("/api")
async def show_api(request: Req) -> Template:
    groups = [
        (group.replace("_", " "), [(each, summary(each), scope_of(each)) for each in found])
        for group, found in groupby(operations(), key=lambda each: each.group)
    ]
    return render(request, "pages/api.html", groups=groups, base=base_url(request))
