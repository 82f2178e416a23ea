"""Servers that talk in the clear first, then TLS: one for each protocol that knows STARTTLS.

They run in threads on plain sockets: asyncio's own server-side start_tls leaves a connection that never ends.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.ports import free_port

Prelude = Callable[[socket.socket], None]


@contextmanager
def threaded(handler: Prelude) -> Iterator[int]:
    """Serves `handler` for each connection, in a thread of its own; gives the port. Leaves no thread behind."""
    listener = socket.create_server(("127.0.0.1", free_port()))
    open_ones: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError, AssertionError):
            connection.settimeout(10)
            handler(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_ones.append(connection)
                threads.append(threading.Thread(target=one, args=(connection,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for connection in open_ones:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def line(sock: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        data += exactly(sock, 1)
    return data


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionResetError
        data += more
    return data


def smtp(sock: socket.socket) -> None:
    sock.sendall(b"220-mail.test\r\n220 ESMTP ready\r\n")
    assert line(sock).startswith(b"EHLO ")
    sock.sendall(b"250-mail.test\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 HELP\r\n")
    assert line(sock) == b"STARTTLS\r\n"
    sock.sendall(b"220 go ahead\r\n")


def imap(sock: socket.socket) -> None:
    sock.sendall(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
    tag = line(sock).split()[0]
    sock.sendall(b"* some news\r\n" + tag + b" OK begin\r\n")


def pop3(sock: socket.socket) -> None:
    sock.sendall(b"+OK ready\r\n")
    assert line(sock) == b"STLS\r\n"
    sock.sendall(b"+OK begin\r\n")


def ftp(sock: socket.socket) -> None:
    sock.sendall(b"220-Welcome\r\n anything here\r\n220 ready\r\n")
    assert line(sock) == b"AUTH TLS\r\n"
    sock.sendall(b"234 begin\r\n")


def postgres(sock: socket.socket) -> None:
    assert exactly(sock, 8) == bytes.fromhex("0000000804d2162f")
    sock.sendall(b"S")


def ldap(sock: socket.socket) -> None:
    size = exactly(sock, 2)[1]
    request = exactly(sock, size)
    assert request[:4] == b"\x02\x01\x01\x77"
    assert request.endswith(b"1.3.6.1.4.1.1466.20037")
    response = b"\x78\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00"  # as Active Directory writes it: long lengths
    sock.sendall(b"\x30\x84" + (len(response) + 3).to_bytes(4, "big") + b"\x02\x01\x01" + response)


PRELUDES: dict[str, Prelude] = {
    "smtp": smtp, "imap": imap, "pop3": pop3, "ftp": ftp, "postgres": postgres, "ldap": ldap,
}  # fmt: skip


def upgrading(prelude: Prelude | None, tls: ssl.SSLContext, then: Prelude | None = None) -> Prelude:
    """Talks `prelude`, goes on in TLS, and then does what `then` does."""

    def handler(sock: socket.socket) -> None:
        if prelude:
            prelude(sock)
        with tls.wrap_socket(sock, server_side=True) as protected:
            if then:
                then(protected)
            else:
                protected.recv(1)

    return handler


def saying(*answers: bytes) -> Prelude:
    """Sends the first answer at once, each further one after something came in, then waits."""

    def handler(sock: socket.socket) -> None:
        for number, answer in enumerate(answers):
            if number:
                sock.recv(1000)
            sock.sendall(answer)
        while sock.recv(1000):
            pass

    return handler
