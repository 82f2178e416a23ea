"""TLS through memory: what is sent and heard, also where a socket takes or gives no more."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import suppress

import pytest
import trustme

from pinguin.checks.engine.openssl import Context, TlsSocket
from pinguin.checks.engine.secure import Demand
from pinguin.checks.engine.tls import TlsContexts
from tests.checks.test_http_tls import server_context


def connected(context: Context, authority: trustme.CA) -> tuple[TlsSocket, ssl.SSLSocket]:
    """A client and a server after the handshake, but for the client's last word. Neither blocks."""
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    client = context.wrap_socket(here, server_hostname="example.test", do_handshake_on_connect=False)
    server = server_context(authority, "example.test").wrap_socket(
        there, server_side=True, do_handshake_on_connect=False
    )
    for _ in range(2):
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        with suppress(ssl.SSLWantReadError):
            server.do_handshake()
    return client, server


@pytest.fixture
def context() -> Context:
    return TlsContexts().of(Demand(verify=False))


def test_the_last_word_of_a_server_that_takes_no_more_is_read(context: Context, authority: trustme.CA) -> None:
    client, server = connected(context, authority)
    client.send(b"the head")
    assert server.recv(100) == b"the head"
    server.send(b"too large")
    server.close()
    with pytest.raises(BrokenPipeError):
        client.send(b"the body")

    assert client.recv(100) == b"too large"
    client.close()


def test_connections_of_one_context_that_take_turns_mix_nothing(context: Context, authority: trustme.CA) -> None:
    """Each sends more than goes out at once, and hears of the other side meanwhile."""
    pairs = [connected(context, authority) for _ in range(3)]
    wanted = [os.urandom(100_000) for _ in pairs]
    unsent, heard, told = list(wanted), [b""] * 3, [b""] * 3
    for _ in range(5000):
        for number, (client, server) in enumerate(pairs):
            with suppress(BlockingIOError):
                if unsent[number]:
                    unsent[number] = unsent[number][client.send(unsent[number]) :]
            with suppress(ssl.SSLWantReadError):
                heard[number] += server.recv(3000)
                server.send(b"x")
            with suppress(ssl.SSLWantReadError):
                told[number] += client.recv(65536)
        if [len(each) for each in heard] == [100_000] * 3:
            break

    assert heard == wanted
    assert all(set(each) == set(b"x") for each in told)
    for client, server in pairs:
        client.close()
        client.close()
        server.close()
