"""TLS by the OpenSSL that comes inside the cryptography package, in the shape of the ssl module's own sockets.

A handshake in OpenSSL 3.0, which Python's ssl has on many systems, takes half as long again as in the newer one that
cryptography brings (`make bench-checks` measures it), and of an HTTPS check the handshake is most. What is used here
are the bindings that cryptography makes for pyOpenSSL. Errors are the ssl module's, so that whoever handles them need
not know which of the two met them.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from contextlib import suppress
from functools import lru_cache
from typing import Any

from cryptography.hazmat.bindings.openssl.binding import Binding

from pinguin.checks.engine.secure import VERSIONS, Demand, authorities, identity_file

lib: Any = Binding.lib
ffi: Any = Binding.ffi

RECORD, CHUNK = 16384, 65536
_CIPHERS = b"@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
"""As Python's ssl has them."""
_SUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
"""Of TLS 1.3. First what browsers have first: processors have instructions for SHA-256, not for SHA-384."""
_GROUPS = b"P-256:X25519:P-384:P-521"
"""All that is in use. The first is the one that every server of TLS 1.3 must take, and the cheapest."""
_NAMES = {
    156: "HTTP_REQUEST",
    198: "PACKET_LENGTH_TOO_LONG",
    258: "UNSUPPORTED_PROTOCOL",
    267: "WRONG_VERSION_NUMBER",
    313: "RECORD_LAYER_FAILURE",
    1042: "SSLV3_ALERT_BAD_CERTIFICATE",
    1048: "TLSV1_ALERT_UNKNOWN_CA",
    1070: "TLSV1_ALERT_PROTOCOL_VERSION",
    1116: "TLSV13_ALERT_CERTIFICATE_REQUIRED",
}
"""openssl/sslerr.h: reasons that somebody looks for. Their texts differ between versions."""
_VERIFY_FAILED = 134


class Context:
    """What many connections share. Raises ssl.SSLError where the demand's certificates are not to be read."""

    def __init__(self, demand: Demand) -> None:
        self._context = made = ffi.gc(lib.SSL_CTX_new(lib.TLS_method()), lib.SSL_CTX_free)
        self._passing = Passing()
        self.verify = demand.verify
        # Releases the buffers of a connection that waits: most of the memory of a check in flight.
        lib.SSL_CTX_set_mode(
            made,
            lib.SSL_MODE_ENABLE_PARTIAL_WRITE
            | lib.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
            | lib.SSL_MODE_AUTO_RETRY
            | lib.SSL_MODE_RELEASE_BUFFERS,
        )
        lib.SSL_CTX_set_options(made, lib.SSL_OP_ALL | lib.SSL_OP_NO_COMPRESSION)
        _must(lib.SSL_CTX_set_min_proto_version(made, VERSIONS[demand.least].value))
        _must(lib.SSL_CTX_set_cipher_list(made, _CIPHERS))
        _must(lib.SSL_CTX_set_ciphersuites(made, _SUITES))
        _must(lib.SSL_CTX_set1_curves_list(made, _GROUPS))
        if demand.alpn:
            offered = b"".join(bytes([len(name)]) + name.encode("ascii") for name in demand.alpn)
            lib.SSL_CTX_set_alpn_protos(made, offered, len(offered))
        if demand.client_certificate:
            with identity_file(demand.client_certificate, demand.client_key) as path:
                _must(lib.SSL_CTX_use_certificate_chain_file(made, path.encode()))
                _must(lib.SSL_CTX_use_PrivateKey_file(made, path.encode(), lib.SSL_FILETYPE_PEM))
        if demand.verify:
            self._trust(demand.authorities)

    def _trust(self, pem: str) -> None:
        made = self._context
        lib.SSL_CTX_set_verify(made, lib.SSL_VERIFY_PEER, ffi.NULL)
        file, folder = (os.fsencode(path) if path else ffi.NULL for path in authorities())
        _must(lib.SSL_CTX_load_verify_locations(made, file, folder))
        if pem:
            self._trust_also(pem.encode())

    def _trust_also(self, pem: bytes) -> None:
        store = lib.SSL_CTX_get_cert_store(self._context)
        text = ffi.new("char[]", pem)
        bio = ffi.gc(lib.BIO_new_mem_buf(text, len(pem)), lib.BIO_free)
        while (certificate := lib.PEM_read_bio_X509(bio, ffi.NULL, ffi.NULL, ffi.NULL)) != ffi.NULL:
            _must(lib.X509_STORE_add_cert(store, ffi.gc(certificate, lib.X509_free)))
        lib.ERR_clear_error()

    def wrap_socket(self, sock: socket.socket, *, server_hostname: str, do_handshake_on_connect: bool) -> TlsSocket:
        """A connection on `sock`, which is its own from now on. The handshake is the caller's to do."""
        assert not do_handshake_on_connect
        return TlsSocket(self._context, self._passing, sock, server_hostname)


class Passing:
    """Memory through which bytes pass between OpenSSL and a socket, within one call: many connections share it."""

    __slots__ = ("bytes", "c")

    def __init__(self) -> None:
        self.bytes = memoryview(bytearray(CHUNK))
        self.c = ffi.from_buffer(self.bytes)


class TlsSocket:
    """What a wire needs of a socket. Calls raise OSError; BlockingIOError or ssl.SSLWantReadError to wait first.

    OpenSSL reads and writes memory, and we the socket: with few system calls, for it would ask for every record's head
    apart, and so that a server's last word (why it refuses us) is read although it no longer listens.
    """

    __slots__ = ("_accepted", "_in", "_out", "_passing", "_sock", "_ssl", "_unsent")

    def __init__(self, context: Any, passing: Passing, sock: socket.socket, name: str) -> None:
        self._sock, self._passing = sock, passing
        self._unsent = b""
        self._accepted = 0
        self._ssl = made = ffi.gc(lib.SSL_new(context), lib.SSL_free)
        self._in, self._out = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
        lib.SSL_set_bio(made, self._in, self._out)  # which are the connection's now, and end with it
        lib.SSL_set_connect_state(made)
        wanted = lib.SSL_get0_param(made)
        packed = _packed(name)
        if packed:
            _must(lib.X509_VERIFY_PARAM_set1_ip(wanted, packed, len(packed)))
            return
        host = name.encode("ascii")
        lib.SSL_set_tlsext_host_name(made, host)
        lib.X509_VERIFY_PARAM_set_hostflags(wanted, lib.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)
        _must(lib.X509_VERIFY_PARAM_set1_host(wanted, host, len(host)))

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        ffi.release(self._ssl)
        self._sock.close()

    def do_handshake(self) -> None:
        self._flush()
        while True:
            lib.ERR_clear_error()
            done = lib.SSL_do_handshake(self._ssl)
            if done == 1:
                return  # our last word goes out with the first of what we send, in one packet
            if not self._wants_more(done):
                with suppress(OSError):  # an alert, which nobody need hear
                    self._flush()
                raise self._error(done)
            self._flush()
            if not self._fill():
                raise ssl.SSLEOFError

    def send(self, data: bytes | memoryview) -> int:
        """How many bytes went out; to be called with the same ones again where it would have blocked."""
        if not self._accepted:
            lib.ERR_clear_error()
            written = lib.SSL_write(self._ssl, ffi.from_buffer(data), len(data))
            if written <= 0:
                raise self._error(written)
            self._accepted = written
        self._flush()
        accepted, self._accepted = self._accepted, 0
        return accepted

    def recv(self, most: int) -> bytes:
        """What has arrived; empty when the other side has closed, be it without a word."""
        passing, most = self._passing, min(most, RECORD)
        while True:
            lib.ERR_clear_error()
            size = lib.SSL_read(self._ssl, passing.c, most)
            if size > 0:
                return bytes(passing.bytes[:size])
            if not self._wants_more(size):
                if lib.SSL_get_error(self._ssl, size) == lib.SSL_ERROR_ZERO_RETURN:
                    return b""
                raise self._error(size)
            with suppress(OSError):  # who takes no more may have said why
                self._flush()
            if not self._fill():
                return b""

    def _fill(self) -> bool:
        """Read from the socket; False when the other side has closed."""
        try:
            size = self._sock.recv_into(self._passing.bytes)
        except BlockingIOError:
            raise ssl.SSLWantReadError from None
        lib.BIO_write(self._in, self._passing.c, size)
        return size > 0

    def _flush(self) -> None:
        """Send what is to be sent."""
        size = lib.BIO_get_mem_data(self._out, ffi.NULL)
        while size:
            taken = lib.BIO_read(self._out, self._passing.c, min(size, CHUNK))
            self._unsent += self._passing.bytes[:taken]
            size -= taken
        while self._unsent:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]

    def version(self) -> str:
        return _text(lib.SSL_get_version(self._ssl))

    def cipher(self) -> str:
        return _text(lib.SSL_CIPHER_get_name(lib.SSL_get_current_cipher(self._ssl)))

    def selected_alpn_protocol(self) -> str:
        """Or "" where none was agreed on."""
        name, size = ffi.new("unsigned char **"), ffi.new("unsigned int *")
        lib.SSL_get0_alpn_selected(self._ssl, name, size)
        return bytes(ffi.buffer(name[0], size[0])).decode("ascii", "replace") if size[0] else ""

    def asked_for_certificate(self) -> bool:
        """Whether the server asked for one, and named who may have signed it, which in TLS 1.3 it need not."""
        return bool(lib.SSL_get_client_CA_list(self._ssl) != ffi.NULL)

    def sent_chain(self) -> tuple[bytes, ...]:
        """The certificates as the server sent them, leaf first, also where they were refused."""
        return _ders(lib.SSL_get_peer_cert_chain(self._ssl))

    def verified_chain(self) -> tuple[bytes, ...]:
        """From the leaf to a trusted root."""
        return _ders(lib.SSL_get0_verified_chain(self._ssl))

    def _wants_more(self, result: int) -> bool:
        return bool(lib.SSL_get_error(self._ssl, result) == lib.SSL_ERROR_WANT_READ)

    def _error(self, result: int) -> ssl.SSLError:
        # For the caller to raise at once: an exception in a variable of its own frame is a cycle, which keeps sockets.
        if lib.SSL_get_error(self._ssl, result) == lib.SSL_ERROR_ZERO_RETURN:
            return ssl.SSLZeroReturnError()
        return _error_of(lib.ERR_get_error(), lib.SSL_get_verify_result(self._ssl))


@lru_cache(maxsize=4096)
def _packed(name: str) -> bytes:
    """The bytes of an address; none of a name."""
    try:
        return ipaddress.ip_address(name).packed
    except ValueError:
        return b""


def _error_of(code: int, verdict: int) -> ssl.SSLError:
    """From OpenSSL's error, and what it made of the certificate (X509_V_ERR_…)."""
    reason = lib.ERR_GET_REASON(code)
    words = _text(lib.ERR_reason_error_string(code)) or "no reason given"
    error: Any
    if reason == _VERIFY_FAILED:
        error = ssl.SSLCertVerificationError(1, words)
        error.verify_code = verdict
        error.verify_message = _text(lib.X509_verify_cert_error_string(verdict))
    else:
        error = ssl.SSLError(1, words)
    error.reason = _NAMES.get(reason) or words.upper().replace(" ", "_")
    lib.ERR_clear_error()
    return error  # type: ignore[no-any-return]


def _must(done: int) -> None:
    if done != 1:
        raise _error_of(lib.ERR_get_error(), 0)


def _ders(stack: Any) -> tuple[bytes, ...]:
    if stack == ffi.NULL:
        return ()
    return tuple(_der(lib.sk_X509_value(stack, number)) for number in range(lib.sk_X509_num(stack)))


def _der(certificate: Any) -> bytes:
    bio = lib.BIO_new(lib.BIO_s_mem())
    try:
        _must(lib.i2d_X509_bio(bio, certificate))
        start = ffi.new("char **")
        size = lib.BIO_get_mem_data(bio, start)
        return bytes(ffi.buffer(start[0], size))
    finally:
        lib.BIO_free(bio)


def _text(words: Any) -> str:
    return ffi.string(words).decode("utf-8", "replace") if words != ffi.NULL else ""
