"""Chains of certificates as servers send them: a good one, and those that are refused."""

from __future__ import annotations

from typing import Any

from pinguin.checks.runner import Report
from tests.checks.certificates import Made, house, make, server
from tests.checks.conftest import Check
from tests.checks.starttls_servers import threaded, upgrading

ROOT, MIDDLE, LEAF = house()
STRANGER = make("Stranger")
NAMES = ("127.0.0.1",)
REFUSED: list[tuple[tuple[Made, ...], str]] = [
    ((make("x", MIDDLE, names=NAMES, days=-2.5, since=-30), MIDDLE), "the certificate of 127.0.0.1 expired on "),
    ((make("x", MIDDLE, names=NAMES, since=3), MIDDLE), "is not valid yet, only from "),
    ((make("x", MIDDLE, names=("other.test",)), MIDDLE), "is not for 127.0.0.1, only for other.test"),
    ((make("127.0.0.1", names=NAMES),), "the certificate of 127.0.0.1 is self-signed"),
    ((make("127.0.0.1", names=NAMES, days=-2.5, since=-9),), "127.0.0.1 is self-signed, and expired on "),
    ((make("x", STRANGER, names=NAMES),), "unknown authority: Stranger is unknown here, and the server does not send"),
    ((make("x", STRANGER, names=NAMES), STRANGER), "comes from an unknown authority: Stranger"),
    ((LEAF,), "unknown authority: Test Middle is unknown here, and the server does not send it"),
]
"""Each with words of the message, for who trusts `ROOT` alone."""


async def look(check: Check, *chain: Made, version: str = "", clients: Made | None = None, **options: Any) -> Report:
    """The certificate check's report on a server that sends `chain`; its root, last in it, is trusted but not sent."""
    *sent, root = chain
    tls = server(*(sent or chain), version=version, clients=clients)
    with threaded(upgrading(None, tls)) as port:
        return await check("tls", host="127.0.0.1", port=port, **{"ca_certificates": root.pem, **options})


def showing(identity: Made | None) -> dict[str, str]:
    """The options of a check that shows this certificate to the server."""
    return {"client_certificate": identity.pem, "client_key": identity.key_pem} if identity else {}
