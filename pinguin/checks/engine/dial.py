"""From a host and a port to a connection: the look-up, then the addresses in turn, timed apart."""

from __future__ import annotations

import asyncio

from pinguin.checks.contract import Context
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import FAMILIES, Address, IpVersion, literal, resolve
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import Wire
from pinguin.errors import CheckFailed

MOST_ADDRESSES = 4


async def dial(host: str, port: int, version: IpVersion, context: Context, watch: Stopwatch) -> Wire:
    """Connect to the first of the host's addresses that answers. Raises CheckFailed; the caller closes the wire."""
    addresses = await find(host, port, version, context, watch)
    watch.begin("waiting for the connection")
    wire = await _first_that_answers(addresses[:MOST_ADDRESSES], context, watch)
    watch.done("connect")
    context.evidence["address"] = str(wire.address)
    return wire


async def find(host: str, port: int, version: IpVersion, context: Context, watch: Stopwatch) -> list[Address]:
    """The addresses of `host`. An address that is written out takes no look-up, and leaves no `dns` phase."""
    written = literal(host, port)
    if written is None:
        watch.begin(f"resolving {host}")
        found = await resolve(host, port, version, context.resources)
        watch.done("dns")
        return found
    if written[0].family != FAMILIES[version] and version != "any":
        raise CheckFailed("dns", f"{host} is not an IPv{version} address")
    return written


async def _first_that_answers(addresses: list[Address], context: Context, watch: Stopwatch) -> Wire:
    failed: dict[str, str] = {}
    *others, last = addresses
    for number, address in enumerate(others):
        # A silent first address must not eat the time of the second one; the last has what remains.
        share = watch.seconds_left() / (len(addresses) - number)
        try:
            async with asyncio.timeout(share):
                return await _open(address, watch)
        except CheckFailed as failure:
            failed[str(address)] = failure.reason
        except TimeoutError:
            failed[str(address)] = "timeout"
        context.evidence["failed_addresses"] = failed
    return await _open(last, watch)


async def _open(address: Address, watch: Stopwatch) -> Wire:
    try:
        return await Wire.open(address)
    except OSError as error:
        raise failure_of(error, str(address), in_words(watch.total_ms())) from None
