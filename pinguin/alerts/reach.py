"""From a host to the addresses that a channel connects to. Every channel of ours asks here, and connects to nothing
else: what may not be reached is refused in this place."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import certifi

from pinguin.alerts.contract import Context, Failed, Rendered
from pinguin.guard import Guard, in_words

Address = tuple[int, tuple[Any, ...]]
"""Family, and what the socket module takes for it."""


async def addresses(host: str, port: int, rendered: Rendered, context: Context) -> list[Address]:
    """Those that may be connected to, at least one, in the system's order. Raises `Failed`."""
    context.stage = f"looking up {host}"
    try:
        found = await context.threads.run(
            rendered.message.channel, socket.getaddrinfo, host, port, socket.AF_UNSPEC, socket.SOCK_STREAM
        )
    except socket.gaierror as error:
        raise Failed(f"{host} does not resolve ({error.strerror})") from None
    except UnicodeError:
        raise Failed(f"{host} is not a valid name") from None
    return permitted(host, [(item[0], item[4]) for item in found], context)


def permitted(host: str, found: list[Address], context: Context) -> list[Address]:
    """What is checked here is what is connected to. Refused is tried again: a name server may answer better later."""
    guard = Guard.of(context.settings)
    refusals = [guard.refusal(place[0]) for _, place in found]
    if all(refusals):
        raise Failed(in_words(host, refusals[0]))
    return [address for address, refusal in zip(found, refusals, strict=True) if not refusal]


async def connected(host: str, port: int, rendered: Rendered, context: Context) -> socket.socket:
    """A connection to the first address that takes one. Raises `Failed`."""
    why = ""
    for family, place in await addresses(host, port, rendered, context):
        context.stage = f"connecting to {shown(place)}"
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, place)
        except OSError as error:
            sock.close()
            why = f"{shown(place)}: {reason(error)}"
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise Failed(f"cannot connect to {host}: {why}")


def shown(place: tuple[Any, ...]) -> str:
    host, port = place[0], place[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason(error: BaseException) -> str:
    """An error of a socket or of TLS in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({(error.reason or 'no reason given').replace('_', ' ').lower()})"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def cause(error: BaseException) -> BaseException:
    """What the socket or TLS said, below what the libraries above them make of it."""
    while not isinstance(error, OSError) and (below := error.__cause__ or error.__context__) is not None:
        error = below
    while isinstance(error.__cause__, OSError):
        error = error.__cause__
    return error


def tls_context(verify: bool) -> ssl.SSLContext:
    """Takes some 20 ms: of the authorities of this machine, and those of certifi."""
    context = ssl.create_default_context()
    if verify:
        context.load_verify_locations(certifi.where())
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
