"""From a host and a port to a connection: the look-up, then the addresses in turn, timed apart."""

from __future__ import annotations

import asyncio

from pinguin.checks.contract import Context
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import FAMILIES, Address, IpVersion, literal, resolve, zoned
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import Wire
from pinguin.errors import CheckFailed, CheckImpossible
from pinguin.guard import in_words as refused_in_words

MOST_ADDRESSES = 4


async def dial(host: str, port: int, version: IpVersion, context: Context, watch: Stopwatch) -> Wire:
    """Connect to the first of the host's addresses that answers. Raises CheckFailed; the caller closes the wire."""
    addresses = _written_out(host, port, version, context) or await _looked_up(host, port, version, context, watch)
    watch.begin("waiting for the connection")
    if len(addresses) == 1:
        wire = await _open(addresses[0], context, watch)
    else:
        wire = await _first_that_answers(addresses[:MOST_ADDRESSES], context, watch)
    watch.done("connect")
    context.evidence["address"] = str(wire.address)
    return wire


async def find(host: str, port: int, version: IpVersion, context: Context, watch: Stopwatch) -> list[Address]:
    """The addresses of `host` that may be connected to, at least one. An address that is written out takes no look-up,
    and leaves no `dns` phase. Raises CheckFailed, CheckImpossible.
    """
    return _written_out(host, port, version, context) or await _looked_up(host, port, version, context, watch)


def _written_out(host: str, port: int, version: IpVersion, context: Context) -> list[Address]:
    """Empty where `host` is a name."""
    written = literal(host, port)
    if written is None:
        return []
    if version != "any" and written[0].family != FAMILIES[version]:
        raise CheckFailed("dns", f"{host} is not an IPv{version} address")
    return _permitted(host, written, context)


async def _looked_up(host: str, port: int, version: IpVersion, context: Context, watch: Stopwatch) -> list[Address]:
    if "%" in host:  # an address all the same, with a zone
        if version == "4":
            raise CheckFailed("dns", f"{host} is not an IPv4 address")
        return _permitted(host, zoned(host, port), context)
    watch.begin(f"resolving {host}")
    found = await resolve(host, port, version, context)
    watch.done("dns")
    return _permitted(host, found, context)


def _permitted(host: str, found: list[Address], context: Context) -> list[Address]:
    """What is checked here is what is connected to: no second look-up can lead elsewhere."""
    guard = context.resources.guard
    refusals = [guard.refusal(address.sockaddr[0]) for address in found]
    if not any(refusals):
        return found
    permitted = [address for address, refusal in zip(found, refusals, strict=True) if not refusal]
    if not permitted:
        raise CheckImpossible("forbidden", refused_in_words(host, refusals[0]))
    return permitted


async def permit_behind_proxy(host: str, port: int, context: Context) -> None:
    """The proxy looks the name up, and may find what we do not: so all that we find must be permitted.

    Raises CheckImpossible.
    """
    guard = context.resources.guard
    found = literal(host.partition("%")[0], port)
    if found is None and guard.deny:
        try:
            found = await resolve(host, port, "any", context)
        except CheckFailed:  # a name that only the proxy knows
            return
    for address in found or ():
        if refusal := guard.refusal(address.ip):
            raise CheckImpossible("forbidden", refused_in_words(host, refusal))


async def _first_that_answers(addresses: list[Address], context: Context, watch: Stopwatch) -> Wire:
    failed: dict[str, str] = {}
    *others, last = addresses
    for number, address in enumerate(others):
        # A silent first address must not eat the time of the second one; the last has what remains.
        share = watch.seconds_left() / (len(addresses) - number)
        try:
            async with asyncio.timeout(share):
                return await _open(address, context, watch)
        except CheckFailed as failure:
            failed[str(address)] = failure.reason
        except TimeoutError:
            failed[str(address)] = "timeout"
        context.evidence["failed_addresses"] = failed
    return await _open(last, context, watch)


async def _open(address: Address, context: Context, watch: Stopwatch) -> Wire:
    try:
        return await Wire.open(address, context.resources)
    except OSError as error:
        raise failure_of(error, str(address), in_words(watch.total_ms())) from None
