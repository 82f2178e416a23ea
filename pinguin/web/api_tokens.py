"""API tokens: `pgn_`, 40 random letters and digits (238 bits), and six that sum them up.

The beginning is for people and for scanners that look for leaked secrets; the sum tells a token from what only looks
like one, without a look into the database.
"""

from __future__ import annotations

import secrets
import string
import zlib

PREFIX = "pgn_"
HINT = len(PREFIX) + 4
"""How much of a token is shown, to tell it from others."""
_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _SUM = 40, 6


def new_token() -> str:
    body = "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM))
    return PREFIX + body + _sum(body)


def well_formed(token: str) -> bool:
    body = token.removeprefix(PREFIX)
    return (
        token.startswith(PREFIX)
        and len(body) == _RANDOM + _SUM
        and set(body) <= set(_LETTERS)
        and _sum(body[:_RANDOM]) == body[_RANDOM:]
    )


def _sum(body: str) -> str:
    left, digits = zlib.crc32(body.encode("ascii")), ""
    for _ in range(_SUM):
        left, digit = divmod(left, len(_LETTERS))
        digits = _LETTERS[digit] + digits
    return digits
