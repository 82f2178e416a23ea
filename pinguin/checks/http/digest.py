"""Digest authentication (RFC 7616): httpx knows the arithmetic, the connections are ours."""

from __future__ import annotations

import httpx

from pinguin.checks.engine.answer import Answer
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
            raise CheckFailed("protocol", "the server asks for a kind of digest that is not known here") from None
        finally:
            flow.close()
        return asked.headers["authorization"]


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
