"""Who a token belongs to: the first thing that a program asks, and the smallest."""

from __future__ import annotations

from typing import Any

from litestar import get

from pinguin.web.gate import METRICS, principal
from pinguin.web.service import Req


@get("/me", opt=METRICS)
async def show_me(request: Req) -> dict[str, Any]:
    who = principal(request)
    token = {"id": who.token_id, "name": who.token_name, "scope": who.scope}
    return {"user": {"id": who.user_id, "name": who.name, "role": who.role}, "token": token}
