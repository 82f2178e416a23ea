"""What every answer says to the browser about safety and caching."""

from __future__ import annotations

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
    " bluetooth=(), midi=(), display-capture=()",
    "x-permitted-cross-domain-policies": "none",
}

_SAYS = ("/badge/", "/api/v1/")
_MAY_SAY = ("cache-control", "cross-origin-resource-policy")
"""Below these addresses the answer itself may say how it is kept, and who may embed it."""


async def secure(message: Message, scope: Scope) -> None:
    """Add them. Pages show what is now and to whom, so they are not kept; our own files may be."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    said = {name: headers[name] for name in _MAY_SAY if name in headers} if scope["path"].startswith(_SAYS) else {}
    for name, value in _HEADERS.items():
        headers[name] = value
    own_file = scope["path"].startswith("/static/") and message["status"] == 200
    headers["cache-control"] = "public, max-age=31536000, immutable" if own_file else "no-store"
    for name, value in said.items():
        headers[name] = value
