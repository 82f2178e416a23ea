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
    for left in range(len(addresses), 0, -1):
        address = addresses[-left]
        try:
            # A silent first address must not eat the time of the second one; the last has what remains.
            async with asyncio.timeout(watch.seconds_left() / left if left > 1 else None):
                return await Wire.open(address)
        except OSError as error:
            failure = failure_of(error, str(address), in_words(watch.total_ms())) if error.errno else _silent(address)
        if not isinstance(failure, CheckFailed) or left == 1:
            raise failure
        failed[str(address)] = failure.reason
        context.evidence["failed_addresses"] = failed
    raise CheckFailed("dns", "the name has no address")


def _silent(address: Address) -> CheckFailed:
    return CheckFailed("timeout", f"{address} does not answer")
