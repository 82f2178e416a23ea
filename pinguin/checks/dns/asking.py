"""The questions of one DNS check: whom it asks, over what, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import dns.flags
import dns.message

from pinguin.checks.contract import Context
from pinguin.checks.counting import counted
from pinguin.checks.dns.answer import Answer, Told, Wanted, read, same_everywhere
from pinguin.checks.dns.options import Options, question_name
from pinguin.checks.dns.servers import host_and_port
from pinguin.checks.engine.dial import find
from pinguin.checks.engine.dns_query import NotDns, SystemServers, Truncated, over_tcp, over_udp
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import Address
from pinguin.checks.engine.secure import Demand, secure
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import Wire
from pinguin.checks.findings import Finding
from pinguin.errors import CheckFailed, CheckImpossible

PORTS = {"udp": 53, "tcp": 53, "tls": 853}


class Asking:
    """The questions of one check."""

    def __init__(self, options: Options, context: Context, watch: Stopwatch) -> None:
        self._options, self._context, self._watch = options, context, watch
        self._strange = 0
        self._over_tcp = ""

    async def first_answer(self) -> dns.message.Message:
        """The answer of the first server that gives one; they are asked in turn, as the system does."""
        servers = await self._servers()
        self._watch.begin("asking")
        for left in range(len(servers), 0, -1):
            server = servers[-left]
            self._context.evidence["resolver"] = str(server)
            self._watch.stage(f"waiting for the name server {server}")
            self._over_tcp = ""
            try:
                # A silent first server must not eat the time of the second one; the last has what remains.
                async with asyncio.timeout(self._watch.seconds_left() / left if left > 1 else None):
                    return await self._answer(server, self._options.resolver)
            except OSError as error:
                if left == 1:
                    raise self._failure(error, str(server)) from None
        raise AssertionError("there is at least one server")

    async def others(self, mine: Answer, wanted: Wanted) -> Finding:
        """Whether all further servers answer the same. They are asked at once."""
        servers = self._options.compare_with
        self._watch.stage(f"waiting for {', '.join(servers)[:200]}")
        answers = await _all([partial(self._aside()._other, server, wanted) for server in servers])
        first = self._context.evidence["resolver"]
        told = {first: Told(first, mine.essence())} | dict(zip(servers, answers, strict=True))
        self._context.evidence["servers"] = {name: each.words[:200] for name, each in told.items()}
        return same_everywhere(told, wanted)

    def _aside(self) -> Asking:
        """Asks another server meanwhile, with phases and evidence of its own, which nobody looks at."""
        context = Context(timeout=self._watch.seconds_left(), resources=self._context.resources)
        return Asking(self._options, context, Stopwatch(context))

    async def _other(self, server: str, wanted: Wanted) -> Told:
        """An error is told as that of `server`."""
        host, port = host_and_port(server, PORTS[self._options.transport])
        try:
            address = (await find(host, port, self._options.ip_version, self._context, self._watch))[0]
            return Told(str(address), read(await self._answer(address, server), wanted).essence())
        except CheckFailed as failure:
            raise CheckFailed(failure.reason, f"{server}: {failure.message}") from None
        except OSError as error:
            raise self._failure(error, server) from None

    def _failure(self, error: OSError, server: str) -> CheckFailed | CheckImpossible:
        return failure_of(error, server, in_words(self._watch.total_ms()) + self._over_tcp)

    async def _servers(self) -> list[Address]:
        options = self._options
        if not options.resolver:
            return self._context.resources.get(SystemServers).addresses()
        host, port = host_and_port(options.resolver, PORTS[options.transport])
        return await find(host, port, options.ip_version, self._context, self._watch)

    async def _answer(self, server: Address, written: str) -> dns.message.Message:
        """written: the server as the options name it. Raises OSError, CheckFailed."""
        options, evidence, resources = self._options, self._context.evidence, self._context.resources
        question = self._question()
        evidence["transport"] = options.transport
        try:
            if options.transport == "tls":
                return await over_tcp(server, question, resources, partial(self._secure, written))
            if options.transport == "tcp":
                return await over_tcp(server, question, resources)
            try:
                return await over_udp(server, question, resources, partial(self._note_strange, server))
            except Truncated:
                evidence["transport"] = "udp, then tcp"
                self._over_tcp = ", over TCP, as its answer over UDP was cut off"
                self._watch.stage(f"waiting for the name server {server}{self._over_tcp}")
                return await over_tcp(server, question, resources)
        except NotDns:
            raise CheckFailed("protocol", f"what {server} sent is no answer to the question") from None

    async def _secure(self, written: str, wire: Wire) -> None:
        options = self._options
        host, _ = host_and_port(written, PORTS["tls"])
        demand = Demand(verify=options.verify_tls, authorities=options.ca_certificates, alpn=("dot",))
        await secure(wire, options.server_name or host, demand, self._context, self._watch)
        self._watch.begin(f"waiting for the name server {wire.address}")

    def _note_strange(self, server: Address) -> None:
        self._strange += 1
        words = f"{counted(self._strange, 'datagram')} came that answered another question"
        self._watch.stage(f"waiting for the name server {server}; {words}")

    def _question(self) -> dns.message.QueryMessage:
        options = self._options
        question = dns.message.make_query(question_name(options), options.record_type, use_edns=0, payload=1232)
        if not options.recursion:
            question.flags &= ~dns.flags.RD
        if options.require_ad:
            question.flags |= dns.flags.AD  # RFC 6840, 5.7: tell me whether you have verified it
        return question


async def _all(calls: Sequence[Callable[[], Awaitable[Told]]]) -> list[Told]:
    """The results, in order. The first failure ends the others.

    Without a TaskGroup: on Python 3.11.2, which Debian 12 has, one that failed takes later timeouts for cancellations.
    """
    tasks = [asyncio.ensure_future(call()) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        del task, tasks[:]  # an exception whose traceback leads to its own task would wait for the collector
