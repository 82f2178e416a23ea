"""Cookies, sessions and the tokens that go with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from litestar.datastructures import Cookie

from pinguin.settings import Settings

LIFETIME_S = 30 * 86400
"""However often it is used."""
STEP_S = 600
"""How long somebody who gave the right password may look for the code of the second step."""


def cookie_name(settings: Settings) -> str:
    """Over HTTPS the name itself forbids the cookie any other host or path."""
    return "__Host-pinguin" if settings.secure_cookies else "pinguin"


def cookie(settings: Settings, token: str) -> Cookie:
    """The cookie that holds `token`; an empty token ends it."""
    return Cookie(
        key=cookie_name(settings),
        value=token,
        max_age=LIFETIME_S if token else 0,
        path="/",
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )


def new_token() -> str:
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def csrf_token(session_token: str) -> str:
    """Bound to the session, and different on every page: compression would give away a secret that repeats."""
    pad = secrets.token_bytes(32)
    return base64.urlsafe_b64encode(pad + _xor(pad, _csrf(session_token))).decode()


def good_csrf(session_token: str, given: str) -> bool:
    try:
        sent = base64.urlsafe_b64decode(given.encode("ascii"))
    except ValueError:
        return False
    return hmac.compare_digest(_xor(sent[:32], sent[32:]), _csrf(session_token))


def _csrf(session_token: str) -> bytes:
    return hashlib.sha256(b"csrf " + session_token.encode()).digest()


def _xor(pad: bytes, value: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(pad, value, strict=False))
