"""Digest authentication (RFC 7616): httpx knows the arithmetic, the connections are ours."""

from __future__ import annotations

import re

import httpx

from pinguin.checks.engine.answer import Answer
from pinguin.checks.evidence import text
from pinguin.errors import CheckFailed


class Digest:
    def __init__(self, username: str, password: str) -> None:
        self._auth = httpx.DigestAuth(username, password)

    def respond(self, request: httpx.Request, challenge: Answer) -> str | None:
        """The value of Authorization that answers `challenge`, or None where it asks for no digest.

        Raises CheckFailed where it asks for one that cannot be answered.
        """
        asked = httpx.Request(request.method, request.url)
        flow = self._auth.auth_flow(asked)
        next(flow)
        try:
            flow.send(httpx.Response(challenge.status, headers=_of_digest(challenge), request=asked))
        except StopIteration:
            return None
        except (httpx.ProtocolError, NotImplementedError, KeyError, ValueError):
            words = f"the server asks for a kind of digest that is not known here ({_kind(challenge)})"
            raise CheckFailed("protocol", words) from None
        finally:
            flow.close()
        return asked.headers["authorization"]


def is_stale(challenge: Answer) -> bool:
    """Whether the server refused the nonce alone: it has forgotten it, or is another one behind the same name."""
    return re.search(r"\bstale\s*=\s*\"?true\b", _words(challenge), re.IGNORECASE) is not None


def schemes(challenge: Answer) -> str:
    """What the server asks for: `Basic, Negotiate`; nothing where it does not say."""
    found = re.findall(r"(?:^|,)\s*([A-Za-z][\w-]{0,30})(?=\s+[\w-]+\s*=|\s*$|\s*,)", _words(challenge))
    return ", ".join(dict.fromkeys(found))


def _kind(challenge: Answer) -> str:
    """`algorithm=SHA-1024, qop="auth-int"`: as much of the challenge as says what cannot be answered."""
    return text(
        ", ".join(re.findall(r"(?:algorithm|qop)\s*=\s*(?:\"[^\"]*\"|[^\s,]+)", _words(challenge))) or "no nonce", 100
    )


def _words(challenge: Answer) -> str:
    return challenge.header("www-authenticate") or ""


def _of_digest(challenge: Answer) -> list[tuple[bytes, bytes]]:
    """Its challenges alone: of the algorithms, one that we know, where there are several."""
    name = b"www-authenticate"
    offered = [value for key, value in challenge.headers if key.lower() == name and value[:7].lower() == b"digest "]
    known = [
        value
        for value in offered
        if b"algorithm" not in value.lower() or b"md5" in value.lower() or b"sha" in value.lower()
    ]
    return [(name, value) for value in (known or offered)[:1]]
