"""From an operating system's error to a reason. By errno alone: texts differ between systems and languages."""

from __future__ import annotations

import errno
import ssl

from pinguin.errors import CheckFailed, CheckImpossible

_REASONS = {
    errno.ECONNREFUSED: ("refused", "connection refused by {peer} after {after}"),
    errno.ECONNRESET: ("reset", "{peer} reset the connection after {after}"),
    errno.ECONNABORTED: ("reset", "the connection to {peer} was aborted after {after}"),
    errno.ENOTCONN: ("reset", "{peer} cut the connection after {after}"),
    errno.EPIPE: ("reset", "{peer} closed the connection after {after}"),
    errno.ETIMEDOUT: ("timeout", "{peer} does not answer: the system gave up after {after}"),
    errno.ENETUNREACH: ("unreachable", "there is no way to the network of {peer}"),
    errno.EHOSTUNREACH: ("unreachable", "{peer} is not reachable"),
    errno.ENETDOWN: ("unreachable", "the network towards {peer} is down"),
    errno.EHOSTDOWN: ("unreachable", "{peer} is reported to be down"),
    errno.EADDRNOTAVAIL: ("unreachable", "this machine has no address, or no free port, to reach {peer} from"),
    errno.EACCES: ("unreachable", "a firewall forbids the way to {peer}"),
    errno.EPERM: ("unreachable", "a firewall on this machine forbids the way to {peer}"),
    errno.EINVAL: ("unreachable", "{peer} is not an address that can be connected to"),
}

_OURS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC, errno.EAGAIN, errno.EAFNOSUPPORT}
"""This machine's limits say nothing about the target. EAGAIN: no port is left to send datagrams from."""


def failure_of(error: OSError, peer: str, after: str) -> CheckFailed | CheckImpossible:
    """What `error`, met while talking to `peer` (`127.0.0.1:443`), means for the target."""
    if isinstance(error, ssl.SSLError):  # its errno is OpenSSL's: 1 is no EPERM
        return CheckFailed("tls", f"{peer} broke the TLS connection after {after}: {_reason(error)}")
    code = errno.errorcode.get(error.errno or 0, type(error).__name__)
    if error.errno in _OURS:
        return CheckImpossible("internal", f"this machine cannot open a connection just now ({code})")
    reason, sentence = _REASONS.get(error.errno or 0, ("unreachable", "no connection to {peer} ({code})"))
    return CheckFailed(reason, sentence.format(peer=peer, after=after, code=code), evidence={"errno": code})


def _reason(error: ssl.SSLError) -> str:
    return (getattr(error, "reason", None) or "no reason given").lower().replace("_", " ")
