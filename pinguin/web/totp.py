"""The second factor: codes by time (RFC 6238: SHA-1, 30 s, six digits, as every authenticator has them)."""

from __future__ import annotations

import hashlib
import hmac
import io
import secrets
import struct
import time
from base64 import b32decode, b32encode
from urllib.parse import quote

import segno
from markupsafe import Markup

STEP_S = 30
DRIFT = 1
"""Steps that a clock may be early or late."""
CODES = 10
"""Recovery codes, each for one sign-in without the authenticator."""


def place(user_id: int) -> str:
    """Where the secret is sealed for: it opens for this account alone."""
    return f"users.{user_id}.totp_secret"


def new_secret() -> str:
    """160 bits in base32."""
    return b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int) -> str:
    digest = hmac.digest(b32decode(secret), struct.pack(">Q", step), "sha1")
    place = digest[-1] & 15
    number = struct.unpack(">I", digest[place : place + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def matching_step(secret: str, code: str, now: float | None = None) -> int | None:
    """The time step whose code it is, if that is now or next to now."""
    given = code.replace(" ", "")
    if not (len(given) == 6 and given.isascii() and given.isdecimal()):
        return None
    middle = int(time.time() if now is None else now) // STEP_S
    steps = range(middle - DRIFT, middle + DRIFT + 1)
    found = [step for step in steps if hmac.compare_digest(code_at(secret, step), given)]
    return found[-1] if found else None


def address(secret: str, account: str) -> str:
    """What authenticators read from the picture."""
    return f"otpauth://totp/Pinguin:{quote(account, safe='')}?secret={secret}&issuer=Pinguin"


def picture(text: str) -> Markup:
    """A QR code as SVG: dark on white in every theme, or cameras do not find it."""
    out = io.BytesIO()
    segno.make(text, error="m", boost_error=False).save(
        out, kind="svg", xmldecl=False, svgns=True, border=3, dark="#000", light="#fff", omitsize=True, svgclass="qr",
        lineclass=None,
    )  # fmt: skip
    return Markup(out.getvalue().decode())  # noqa: S704 - segno's own drawing; of the text nothing is in it


def new_codes() -> list[str]:
    """80 random bits each: `abcd-efgh-ijkl-mnop`."""
    made = (b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(CODES))
    return ["-".join(code[place : place + 4] for place in range(0, 16, 4)) for code in made]


def code_hash(code: str) -> bytes:
    """However somebody writes it down."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()
