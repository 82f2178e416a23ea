"""Digest authentication (RFC 7616): httpx knows the arithmetic, the connections are ours."""

from __future__ import annotations

import re

import httpx

from pinguin.checks.engine.answer import Answer
from pinguin.checks.evidence import text
from pinguin.checks.http.challenges import Challenge, challenges
from pinguin.errors import CheckFailed

_NEEDED = ("realm", "nonce")


class Digest:
    def __init__(self, username: str, password: str) -> None:
        self._auth = httpx.DigestAuth(username, password)

    def respond(self, request: httpx.Request, answer: Answer) -> str | None:
        """The value of Authorization for the digest that `answer` asks for, or None where it asks for none.

        Raises CheckFailed where it asks for one that cannot be answered.
        """
        challenge = _best(answer)
        if challenge is None:
            return None
        if wrong := _wrong(challenge):
            raise CheckFailed("protocol", f"the server asks for a digest, {wrong}")
        asked = httpx.Request(request.method, request.url)
        flow = self._auth.auth_flow(asked)
        next(flow)
        try:
            flow.send(httpx.Response(answer.status, headers=[(b"www-authenticate", bytes(challenge))], request=asked))
        except (httpx.ProtocolError, NotImplementedError, KeyError, ValueError):
            words = f"the server asks for a kind of digest that is not known here ({_kind(challenge)})"
            raise CheckFailed("protocol", words) from None
        finally:
            flow.close()
        return asked.headers["authorization"]


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
    algorithm = (challenge.parameters or {}).get("algorithm", "MD5").lower()
    return "md5" in algorithm or "sha" in algorithm


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
