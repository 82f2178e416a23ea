"""What every answer says to the browser about safety and caching."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(),"
    " midi=(), display-capture=()",
    "x-permitted-cross-domain-policies": "none",
}

_SAYS = ("/badge/", "/api/v1/")
_MAY_SAY = ("cache-control", "cross-origin-resource-policy")
"""Below these addresses the answer itself may say how it is kept, and who may embed it."""


YEAR_S = 365 * 86400


def secure(*, https: bool) -> Callable[[Message, Scope], Awaitable[None]]:
    """What adds them. https: people come over HTTPS, and are to come in no other way for a year (on this host alone).

    Pages show what is now and to whom, so they are not kept; our own files may be.
    """
    always = {**_HEADERS, "strict-transport-security": f"max-age={YEAR_S}"} if https else _HEADERS

    async def add(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        headers = MutableScopeHeaders.from_message(message)
        path = scope["path"]
        said = {name: headers[name] for name in _MAY_SAY if name in headers} if path.startswith(_SAYS) else {}
        own_file = path.startswith("/static/") and message["status"] == 200
        kept = "public, max-age=31536000, immutable" if own_file else "no-store"
        for name, value in {**always, "cache-control": kept, **said}.items():
            headers[name] = value

    return add
