"""TLS for the HTTP check, at the least cost: one context for each demand, the handshake, and what it showed.

`engine/secure.py` is the thorough way of the other checks.
"""

from __future__ import annotations

import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from pinguin.checks.contract import Context
from pinguin.checks.engine import certificate, openssl
from pinguin.checks.engine.chain import MOST_SHOWN, Link, read_chain
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.refusals import handshake_words, refusal
from pinguin.checks.engine.secure import Demand, about_client
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import Wire
from pinguin.errors import CheckFailed

LARGEST_KEPT = 32768
"""Bytes of a chain whose reading is kept for the next check: a hostile server must not fill the memory."""

Ders = tuple[bytes, ...]


class TlsContexts:
    """SSL contexts by demand. One takes 16 ms to make and holds the system's authorities, so they are shared."""

    MOST = 64

    def __init__(self) -> None:
        self._made: OrderedDict[Demand, openssl.Context] = OrderedDict()

    def of(self, demand: Demand) -> openssl.Context:
        context = self._made.get(demand)
        if context is None:
            context = self._made[demand] = openssl.Context(demand)
            if len(self._made) > self.MOST:
                self._made.popitem(last=False)
        self._made.move_to_end(demand)
        return context

    def close(self) -> None:
        self._made.clear()


async def handshake(wire: Wire, name: str, demand: Demand, context: Context, watch: Stopwatch) -> tuple[Link, ...]:
    """Speak TLS on `wire` from now on, with the server as `name`; gives the chain, to its root if it is verified.

    The evidence gets `tls`, `certificate` and `chain`, the latter two also where the certificate is refused.
    Raises CheckFailed("tls", "certificate" or "reset").
    """
    failure: Callable[[], Exception]
    try:
        # Without the dot that may end a name: certificates are made out without it.
        await wire.start_tls(context.resources.get(TlsContexts).of(demand), name.rstrip("."))
        return _done(wire.sock, name, demand, context, watch)
    except ssl.SSLCertVerificationError as error:
        failure = partial(_refused, error.verify_code, error.verify_message)
    except ssl.SSLError as error:
        asked = isinstance(wire.sock, openssl.TlsSocket) and wire.sock.asked_for_certificate()
        what = f"{wire.address} {about_client(demand)}" if asked else f"the TLS handshake with {wire.address} failed"
        raise CheckFailed("tls", f"{what}: {handshake_words(error, demand.least)}") from None
    except OSError as error:
        raise failure_of(error, str(wire.address), in_words(watch.total_ms())) from None
    # Out here, for an exception in flight would hold the socket until the collector comes.
    raise failure(wire.sock.sent_chain(), name, context)


def _done(sock: Any, name: str, demand: Demand, context: Context, watch: Stopwatch) -> tuple[Link, ...]:
    watch.done("tls")
    context.evidence["tls"] = {"version": sock.version(), "cipher": sock.cipher()}
    return _show(sock.verified_chain() if demand.verify else sock.sent_chain(), name, context)


def _refused(code: int, words: str, sent: Ders, name: str, context: Context) -> CheckFailed:
    links = _show(sent, name, context)
    leaf = certificate.read(sent[0]) if sent else None
    sentence = refusal(code, words, links, leaf.names if leaf else (), name, certificate.now())
    return CheckFailed("certificate", sentence, evidence={"verify_code": code})


def _show(ders: Ders, name: str, context: Context) -> tuple[Link, ...]:
    look = _look if sum(map(len, ders)) <= LARGEST_KEPT else _look.__wrapped__
    facts, links = look(ders, name, int(time.time() // 60))
    context.evidence.update(facts)
    return links


@lru_cache(maxsize=1024)
def _look(ders: Ders, name: str, minute: int) -> tuple[dict[str, Any], tuple[Link, ...]]:
    """What a chain says, for the evidence, at the end of a minute since 1970: most checks see what the last one saw."""
    now = datetime.fromtimestamp((minute + 1) * 60, UTC)
    links = tuple(read_chain(ders))
    facts: dict[str, Any] = {"chain": [link.facts(now) for link in links[:MOST_SHOWN]]}
    leaf = certificate.read(ders[0]) if ders else None
    if leaf:
        facts["certificate"] = leaf.facts(name, now)
    return facts, links
