"""Digest authentication (RFC 7616, and RFC 2069 where the server names no `qop`)."""

from __future__ import annotations

import hashlib
import re
import secrets

import httpx

from pinguin.checks.engine.answer import Answer
from pinguin.checks.evidence import text
from pinguin.checks.http.challenges import Challenge, challenges
from pinguin.errors import CheckFailed

_NEEDED = ("realm", "nonce")
_HASHES = {"MD5": "md5", "SHA": "sha1", "SHA-256": "sha256", "SHA-512": "sha512", "SHA-512-256": "sha512_256"}
_SESSION = "-SESS"
_FIRST = "00000001"
"""How often a nonce was used (nc): each check brings an answer to a fresh one."""


class Digest:
    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username, password

    def respond(self, request: httpx.Request, answer: Answer) -> str | None:
        """The value of Authorization for the digest that `answer` asks for, or None where it asks for none.

        Raises CheckFailed where it asks for one that cannot be answered.
        """
        challenge = _best(answer)
        if challenge is None:
            return None
        if wrong := _wrong(challenge):
            raise CheckFailed("protocol", f"the server asks for a digest, {wrong}")
        if not _is_known(challenge):
            words = f"the server asks for a kind of digest that is not known here ({_kind(challenge)})"
            raise CheckFailed("protocol", words)
        return self._value(request, {name: _readable(said) for name, said in (challenge.parameters or {}).items()})

    def _value(self, request: httpx.Request, asked: dict[str, str]) -> str:
        algorithm = asked.get("algorithm", "MD5")
        uri, qop, once = request.url.raw_path.decode("ascii"), _qop(asked), secrets.token_hex(8)

        def hashed(*words: str) -> str:
            return _hash(algorithm, ":".join(words).encode())

        secret = hashed(self._username, asked["realm"], self._password)
        if algorithm.upper().endswith(_SESSION):
            secret = hashed(secret, asked["nonce"], once)
        body = (_hash(algorithm, request.content),) if qop == "auth-int" else ()
        counted = (_FIRST, once, qop) if qop else ()
        response = hashed(secret, asked["nonce"], *counted, hashed(request.method, uri, *body))
        quoted = {"username": self._username, "realm": asked["realm"], "nonce": asked["nonce"], "uri": uri}
        quoted |= {"response": response, **({"opaque": asked["opaque"]} if "opaque" in asked else {})}
        plain = {"algorithm": algorithm, **({"qop": qop, "nc": _FIRST} if qop else {})}
        parts = [*(f"{name}={_quote(value)}" for name, value in quoted.items())]
        parts += [f"{name}={value}" for name, value in plain.items()]
        parts += [f'cnonce="{once}"'] if qop or algorithm.upper().endswith(_SESSION) else []
        return "Digest " + ", ".join(parts)


def is_stale(answer: Answer) -> bool:
    """Whether the server refused the nonce alone: it has forgotten it, or is another one behind the same name."""
    challenge = _best(answer)
    return challenge is not None and (challenge.parameters or {}).get("stale", "").lower() == "true"


def schemes(answer: Answer) -> str:
    """What the server asks for: `Basic, Negotiate`; nothing where it does not say."""
    return ", ".join(dict.fromkeys(each.scheme for each in challenges(answer)))


def _best(answer: Answer) -> Challenge | None:
    """Of several digests the first that can be answered; where none can, the first."""
    offered = [each for each in challenges(answer) if each.scheme.lower() == "digest"]
    return next((each for each in offered if not _wrong(each) and _is_known(each)), offered[0] if offered else None)


def _is_known(challenge: Challenge) -> bool:
    asked = challenge.parameters or {}
    return _name(asked.get("algorithm", "MD5")) in _HASHES and ("qop" not in asked or bool(_qop(asked)))


def _qop(asked: dict[str, str]) -> str:
    """What is protected beside the address: `auth` nothing, `auth-int` the body too. Empty where neither is offered."""
    offered = [word.strip().lower() for word in asked.get("qop", "").split(",")]
    return next((word for word in ("auth", "auth-int") if word in offered), "")


def _name(algorithm: str) -> str:
    return algorithm.upper().removesuffix(_SESSION)


def _hash(algorithm: str, data: bytes) -> str:
    return hashlib.new(_HASHES[_name(algorithm)], data, usedforsecurity=False).hexdigest()


def _readable(said: str) -> str:
    """Headers are read byte by byte, and are sent in UTF-8."""
    return said.encode("latin-1").decode("utf-8", "replace")


def _quote(value: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _wrong(challenge: Challenge) -> str:
    """Why there is nothing to answer, or ""."""
    if challenge.parameters is None:
        return "but what it says of it is not a list of name=value"
    missing = [name for name in _NEEDED if name not in challenge.parameters]
    return f"but without a {' and a '.join(missing)} to answer with" if missing else ""


def _kind(challenge: Challenge) -> str:
    """`algorithm=SHA-1024, qop="auth-int"`: as much of the challenge as says what cannot be answered."""
    said = re.findall(r"(?:algorithm|qop)\s*=\s*(?:\"[^\"]*\"|[^\s,]+)", challenge.words, re.IGNORECASE)
    return text(", ".join(said), 100) or "which, it does not say"
